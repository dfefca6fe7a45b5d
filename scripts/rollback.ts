/** `npm run rollback`: pins the version before the one that serves, and brings the stack there. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { parse as parseYaml } from "yaml";
import { ReconcileError } from "../providers/errors.ts";
import { servedVersions } from "../providers/pin.ts";
import type { ServedVersion } from "../providers/pin.ts";
import { readOutputs, runPulumi } from "./local/pulumi-runs.ts";
import { reachEmulator } from "./local/reach-emulator.ts";
import { formatVersions, rollbackTarget } from "./rollback/target.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import {
  DEFAULT_STACK,
  readChosenStack,
  readStackFile,
  shortStackName,
} from "./toolchain/stack-choice.ts";
import type { StackFile } from "./toolchain/stack-choice.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run rollback -- [options]

Goes back to an earlier version of a stack's model: writes the key "pin" into the stack file and runs "up", which shows its
preview and asks. The archive and settings stay as they are: what they declare goes on to be uploaded and registered, and
every preview and up names the pin until it is taken away. Nothing else is written.

  --stack S  stack to bring back (default: the one last chosen, else local)
  --to A     alias of the version, "sha-..." (default: the newest version older than the one that serves)
  --forward  take the pin away again: what is declared is served
  --yes      do not ask
  --json     print {stack, pin, was, versions: [{versionId, alias, isLive, traffic}]} as JSON when it is done
  --help     print this
`;

const PIN_KEY = "vertex-diffusion:pin";

async function main(args: readonly string[]): Promise<void> {
  checkNode();
  const options = parse(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (options.forward && options.to !== undefined) {
    throw new UserError(`"--to" sets a pin and "--forward" takes it away: give one of them.`);
  }
  if (!options.yes && !process.stdin.isTTY) {
    throw new UserError(`There is no terminal to ask in. Add "--yes" to go on without a question.`);
  }
  const stack = options.stack ?? (await readChosenStack(PROJECT_ROOT)) ?? DEFAULT_STACK;
  const file = await readStackFile(PROJECT_ROOT, stack);
  if (file === undefined) {
    throw new UserError(`There is no stack file Pulumi.${shortStackName(stack)}.yaml.`);
  }
  const was = await readPin(file);
  const pin = options.forward ? null : await choosePin(stack, file, options.to);
  if (options.forward && was === null) {
    throw new UserError(`Stack "${stack}" has no pin: it serves what is declared.`);
  }
  await writePin(stack, pin);
  await bringThere(stack, pin, options.yes);
  if (options.json) {
    const versions = await readVersions(stack, file);
    process.stdout.write(`${JSON.stringify({ stack, pin, was, versions }, null, 2)}\n`);
  }
}

async function choosePin(stack: string, file: StackFile, to: string | undefined): Promise<string> {
  const versions = await readVersions(stack, file);
  const target = rollbackTarget(versions, to);
  process.stderr.write(formatVersions(versions, target));
  return target.alias;
}

/** What the stack's model has, and what its endpoint serves of it. */
async function readVersions(stack: string, file: StackFile): Promise<ServedVersion[]> {
  if (file.isLocal) await reachEmulator(stack);
  const { model, endpoint } = await readOutputs(stack);
  if (typeof model !== "string" || typeof endpoint !== "string") {
    throw new UserError(
      `Stack "${stack}" serves nothing yet. Run "npm run pulumi -- up --stack ${stack}" first.`,
    );
  }
  const modelName = model.replace(/@.*/, "");
  return servedVersions({ emulator: file.isLocal, modelName, endpoint }).catch((error: unknown) => {
    throw error instanceof ReconcileError ? new UserError(error.message) : error;
  });
}

async function readPin(file: StackFile): Promise<string | null> {
  const { config } = parseYaml(await readFile(file.path, "utf8")) as {
    config?: Record<string, unknown>;
  };
  return String(config?.[PIN_KEY] ?? "") || null;
}

async function writePin(stack: string, pin: string | null): Promise<void> {
  const change = pin === null ? ["rm", "pin"] : ["set", "pin", pin];
  await runPulumi(["config", ...change, "--stack", stack]);
}

/** The CLI's own preview, its question, and up. The key stays when that ends badly: it says what is wanted. */
async function bringThere(stack: string, pin: string | null, yes: boolean): Promise<void> {
  try {
    await runPulumi(["up", ...(yes ? ["--yes"] : []), "--stack", stack]);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const stands =
      pin === null
        ? `The pin is taken away in the stack file, so the next "up" goes there.`
        : `The pin to ${pin} stands in the stack file, so the next "up" goes there; "npm run pulumi -- config rm pin --stack ${stack}" takes it away.`;
    throw new UserError(`${error.message}\n${stands}`);
  }
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        stack: { ...text, short: "s" },
        to: text,
        forward: flag,
        yes: { ...flag, short: "y" },
        json: flag,
        help: { ...flag, short: "h" },
      },
    }).values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run rollback -- --help".`);
  }
}

await runMain(() => main(process.argv.slice(2)));
