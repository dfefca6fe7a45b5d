/** `npm run doctor`: what a stack left unfinished, and what stands in its way, each with the command that mends it. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { parse as parseYaml } from "yaml";
import { defaultBucketName, endpointIdOf, modelIdOf } from "../components/names.ts";
import type { StackNames } from "../providers/inspect.ts";
import { ReconcileError } from "../providers/errors.ts";
import { examine, formatExamination } from "./doctor/examine.ts";
import { readPulumi } from "./local/pulumi-runs.ts";
import { reachEmulator } from "./local/reach-emulator.ts";
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

const HELP = `Usage: npm run doctor -- [options]

Looks at a stack's state and at what it has in the cloud, and says what is not as it should be, each with the one command
that mends it: steps that a killed run left open, operations that still run, claims without their resource, and other
people's things under the stack's names. Changes nothing. Ends with status 1 when it finds something.

  --stack S  stack to look at (default: the one last chosen, else local)
  --json     print {stack, where, resources, findings: [{kind, what, mend}]} as JSON
  --help     print this
`;

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const options = parse(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const stack = options.stack ?? (await readChosenStack(PROJECT_ROOT)) ?? DEFAULT_STACK;
  const file = await readStackFile(PROJECT_ROOT, stack);
  if (file === undefined) {
    throw new UserError(`There is no stack file Pulumi.${shortStackName(stack)}.yaml.`);
  }
  const rest = file.isLocal ? await reachEmulator(stack) : undefined;
  const examination = await examine({
    stack,
    exported: await readPulumi(["stack", "export", "--stack", stack]),
    wouldTake: await namesOf(stack, file),
    rest,
  }).catch((error: unknown) => {
    throw error instanceof ReconcileError ? new UserError(error.message) : error;
  });
  process.stdout.write(
    options.json ? `${JSON.stringify(examination, null, 2)}\n` : formatExamination(examination),
  );
  return examination.findings.length === 0 ? 0 : 1;
}

/** The names that the stack takes on its first up, from its file. */
async function namesOf(stack: string, file: StackFile): Promise<StackNames> {
  const { config = {} } = parseYaml(await readFile(file.path, "utf8")) as {
    config?: Record<string, unknown>;
  };
  const text = (key: string): string => String(config[key] ?? "");
  const project = text("gcp:project");
  const region = text("gcp:region");
  if (project === "" || region === "") {
    const missing = project === "" ? "gcp:project YOUR-PROJECT" : "gcp:region us-central1";
    throw new UserError(
      `Stack "${stack}" has no ${missing.split(" ")[0]}. Run "npm run pulumi -- config set ${missing} --stack ${stack}".`,
    );
  }
  const name = shortStackName(stack);
  const parent = `projects/${project}/locations/${region}`;
  return {
    emulator: file.isLocal,
    stackUid: "",
    project,
    bucket: text("vertex-diffusion:bucketName") || defaultBucketName(project, name),
    modelName: `${parent}/models/${modelIdOf(name)}`,
    endpoint: `${parent}/endpoints/${endpointIdOf(project, name)}`,
  };
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        stack: { type: "string", short: "s" },
        json: flag,
        help: { ...flag, short: "h" },
      },
    }).values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run doctor -- --help".`);
  }
}

await runMain(() => main(process.argv.slice(2)));
