import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { exists } from "./cache.ts";
import { localPaths } from "./environment.ts";
import { UserError } from "./user-error.ts";

/** The stack that is meant when nothing else says so. */
export const DEFAULT_STACK = "local";

/** What a command line of the Pulumi CLI says, as far as its environment depends on it. */
export interface PulumiCommandLine {
  /** The words before any option or argument matters: `["stack", "init"]`, `["up"]`; may be empty. */
  readonly command: readonly string[];
  /** The stack it names, by option or, for `stack init|select|rm`, by position. */
  readonly stack: string | undefined;
  /** The file that --config-file names. */
  readonly hasConfigFile: boolean;
  readonly isHelp: boolean;
  /** `stack init --no-select` leaves the choice of stack as it is. */
  readonly isNoSelect: boolean;
}

/** How a stack file says that its stack is local, and where that file lies. */
export interface StackFile {
  readonly path: string;
  /** Whether it lies under `.local/stacks`, where the CLI does not look by itself. */
  readonly isGenerated: boolean;
  readonly isLocal: boolean;
}

/** Options of the CLI that are followed by a value, as far as they may stand before a stack's name. */
const OPTIONS_WITH_VALUE = new Set([
  "--color",
  "--config",
  "--config-file",
  "--copy-config-from",
  "--cwd",
  "--message",
  "--otel-traces",
  "--parallel",
  "--profiling",
  "--secrets-provider",
  "--stack",
  "--target",
  "--teams",
  "--tracing",
  "--verbose",
  "-C",
  "-c",
  "-m",
  "-p",
  "-s",
  "-t",
  "-v",
]);
/** `stack select -c` is --create, which takes no value. */
const SHORT_CREATE = "-c";

const STACK_MAKERS = ["init", "new", "create", "setup"];
const STACK_REMOVERS = ["rm", "remove", "delete"];
const NAMED_BY_POSITION = new Set([...STACK_MAKERS, ...STACK_REMOVERS, "select"]);

const CONFIG_FILE_COMMANDS = new Set(
  "up update preview pre refresh destroy down dn import watch config logs".split(" "),
);
const PROVIDER_COMMANDS = new Set(
  "up update preview pre refresh destroy down dn import watch".split(" "),
);

/** Commands about the user's account and plugins, not about a stack of this project. */
const ACCOUNT_COMMANDS = new Set(
  "api deployment env insights login logout neo org plugin project whoami".split(" "),
);

/** Reads a command line of the Pulumi CLI. */
export function readCommandLine(args: readonly string[]): PulumiCommandLine {
  const words: string[] = [];
  let stack: string | undefined;
  let hasConfigFile = false;
  let isHelp = false;
  let isNoSelect = false;

  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") {
      break;
    }
    if (!arg.startsWith("-")) {
      words.push(arg);
      continue;
    }
    const [name = "", inline] = splitOption(arg);
    isHelp ||= name === "--help" || name === "-h";
    isNoSelect ||= name === "--no-select";
    hasConfigFile ||= name === "--config-file";
    const isCreate = name === SHORT_CREATE && words[0] === "stack";
    const takesNext = inline === undefined && OPTIONS_WITH_VALUE.has(name) && !isCreate;
    if (name === "--stack" || name === "-s") {
      stack = inline ?? args[index + 1];
    }
    if (takesNext) {
      index += 1;
    }
  }

  const isNamedByPosition = words[0] === "stack" && NAMED_BY_POSITION.has(words[1] ?? "");
  return {
    command: words.slice(0, 2),
    stack: stack ?? (isNamedByPosition ? words[2] : undefined),
    hasConfigFile,
    isHelp,
    isNoSelect,
  };
}

/** "--stack=dev" and "-sdev" carry their value themselves. */
function splitOption(arg: string): [string, string | undefined] {
  const equals = arg.indexOf("=");
  if (equals > 0) {
    return [arg.slice(0, equals), arg.slice(equals + 1)];
  }
  const isJoined = arg.startsWith("-s") && arg.length > 2 && !arg.startsWith("--");
  return isJoined ? ["-s", arg.slice(2)] : [arg, undefined];
}

/** The stack that a command is about: named on the line, in PULUMI_STACK, chosen before, else "local". */
export function chooseStack(
  line: PulumiCommandLine,
  pulumiStack: string | undefined,
  lastChosen: string | undefined,
): string {
  const candidates = [line.stack, pulumiStack, lastChosen];
  return candidates.find((name) => name !== undefined && name !== "") ?? DEFAULT_STACK;
}

/** Whether the command runs providers, and so needs the local Vertex AI when the stack is local. */
export function needsEmulator({ command, isHelp }: PulumiCommandLine): boolean {
  return !isHelp && PROVIDER_COMMANDS.has(command[0] ?? "");
}

/** Whether the command is about the user's account: then no local stack's environment fits it. */
export function isAccountCommand({ command, stack }: PulumiCommandLine): boolean {
  return stack === undefined && ACCOUNT_COMMANDS.has(command[0] ?? "");
}

/** Whether the command names its stack itself, so that PULUMI_STACK would contradict it. */
export function namesItsStack({ command }: PulumiCommandLine): boolean {
  return command[0] === "stack" && NAMED_BY_POSITION.has(command[1] ?? "");
}

/** Whether the command only prints what needs no stack: help, or the CLI's version. */
export function isAboutTheCli({ command, isHelp }: PulumiCommandLine): boolean {
  return isHelp || command.length === 0 || command[0] === "version" || command[0] === "help";
}

/** Whether the command takes --config-file. */
export function takesConfigFile({ command }: PulumiCommandLine): boolean {
  return CONFIG_FILE_COMMANDS.has(command[0] ?? "");
}

/** What a command that succeeded does to the choice of stack. */
export function choiceAfter(line: PulumiCommandLine): "choose" | "forget" | "keep" {
  const [group, verb = ""] = line.command;
  if (group !== "stack" || line.isHelp) {
    return "keep";
  }
  if (STACK_REMOVERS.includes(verb)) {
    return "forget";
  }
  const isChosen = verb === "select" || (STACK_MAKERS.includes(verb) && !line.isNoSelect);
  return isChosen ? "choose" : "keep";
}

/** A stack's own name: "dev" of "my-org/vertex-diffusion/dev". */
export function shortStackName(stack: string): string {
  return stack.split("/").at(-1) ?? stack;
}

/** Whether a stack file's text says `vertex-diffusion:emulator: true`. */
export function isLocalStackFile(text: string): boolean {
  const document: unknown = parse(text);
  if (!hasConfig(document)) {
    return false;
  }
  const value = document.config["vertex-diffusion:emulator"];
  return value === true || value === "true";
}

function hasConfig(value: unknown): value is { config: Record<string, unknown> } {
  return (
    typeof value === "object" &&
    value !== null &&
    "config" in value &&
    typeof value.config === "object" &&
    value.config !== null
  );
}

/**
 * Finds a stack's file: the committed one in the root, else one made under `.local/stacks`.
 *
 * @throws UserError when the file is not YAML.
 */
export async function readStackFile(root: string, stack: string): Promise<StackFile | undefined> {
  const name = `Pulumi.${shortStackName(stack)}.yaml`;
  const places = [
    { path: join(root, name), isGenerated: false },
    { path: join(localPaths(root).stackFiles, name), isGenerated: true },
  ];
  for (const place of places) {
    if (await exists(place.path)) {
      const text = await readFile(place.path, "utf8");
      try {
        return { ...place, isLocal: isLocalStackFile(text) };
      } catch (error) {
        const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
        throw new UserError(`Could not read the stack file "${place.path}": ${why}`);
      }
    }
  }
  return undefined;
}

/** The stack that was last chosen through `npm run pulumi`. */
export async function readChosenStack(root: string): Promise<string | undefined> {
  const text = await readFile(localPaths(root).chosenStack, "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}

/** Remembers the chosen stack, or forgets it. */
export async function writeChosenStack(root: string, stack: string | undefined): Promise<void> {
  const path = localPaths(root).chosenStack;
  if (stack === undefined) {
    await rm(path, { force: true });
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${stack}\n`);
}
