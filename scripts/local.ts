/** `npm run local`: the whole stack on this machine, and one picture from it. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureEmulator } from "./local/emulator-process.ts";
import { readLastChanges, readOutputs, readPulumi, runPulumi } from "./local/pulumi-runs.ts";
import {
  listLocalStacks,
  localStackOf,
  moveSaltToTwin,
  writeLocalTwin,
} from "./local/stack-files.ts";
import { formatChanges, formatReality, formatTable, readTrafficSplit } from "./local/summary.ts";
import type { Summary } from "./local/summary.ts";
import { fileNameFor, predict, savePicture } from "./prediction.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { silentReport, terminalReport } from "./toolchain/report.ts";
import { ensureToolchain } from "./toolchain/toolchain.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";

const HELP = `Usage: npm run local -- [options]

Brings the stack up on a local Vertex AI and asks it for one picture. Needs no account and no GPU; nothing is billed.
Run again, it changes only what differs. "npm run local:down" takes everything away.

  --env ENV         run that stack file's own settings: dev or prod (default: Pulumi.local.yaml)
  --prompt TEXT     what the picture shows (default: "a red circle")
  --port PORT       port of the local Vertex AI's REST interface (default 8085)
  --grpc-port PORT  port of its gRPC interface (default 8086)
  --json            print the result as JSON
  --help            print this

Made once and kept in the user's cache folder: the Pulumi CLI and a Python environment. All else lies in .local/.
`;

/** Steps of the one picture that this command asks for. */
const STEPS = 20;

async function main(args: readonly string[]): Promise<void> {
  const options = parse(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const report = options.json ? silentReport : terminalReport();
  const stack = localStackOf(options.env);
  if (stack !== "local") {
    for (const difference of await writeLocalTwin(options.env ?? "")) {
      report.note(`differs from Pulumi.${options.env}.yaml: ${difference}`);
    }
  }
  const toolchain = await ensureToolchain(report);
  const address = await ensureEmulator(
    { python: toolchain.python.python, port: options.port, grpcPort: options["grpc-port"] },
    report,
  );

  await ensureStack(stack);
  await runPulumi(["up", "--yes", "--skip-preview", "--stack", stack]);

  const outputs = await readOutputs(stack);
  const prompt = options.prompt ?? "a red circle";
  const predicting = report.step(`Predicting "${prompt}"`);
  const started = performance.now();
  const picture = await predict(textOf(outputs, "predictUrl"), {
    prompt,
    num_inference_steps: STEPS,
    seed: 1,
  });
  const seconds = (performance.now() - started) / 1000;
  const path = join(PROJECT_ROOT, ".local/out", fileNameFor(prompt));
  await savePicture(path, picture);
  predicting.done(`${picture.length} bytes`);

  const endpoint = textOf(outputs, "endpoint");
  const summary: Summary = {
    stack,
    changes: formatChanges(await readLastChanges(stack)),
    bucket: textOf(outputs, "bucket"),
    archiveSizeBytes: Number(outputs["archiveSizeBytes"]),
    artifactUri: textOf(outputs, "artifactUri"),
    model: textOf(outputs, "model"),
    endpoint,
    trafficSplit: await readTrafficSplit(address.rest, endpoint),
    picture: path,
    prompt,
    steps: STEPS,
    seconds,
  };
  process.stdout.write(
    options.json
      ? `${JSON.stringify(summary, null, 2)}\n`
      : `\n${formatTable(summary)}\n\n${await formatReality(toolchain.gcpPlugin)}\n\n${nextSteps(stack)}`,
  );
}

function nextSteps(stack: string): string {
  return `Next:
  npm run predict -- "a blue square" --seed 7       another picture
  npm run pulumi -- preview --stack ${stack.padEnd(15)} what an "up" would change
  npm run local -- --env prod                       the production settings, on this machine
  npm run local:down                                take everything away
`;
}

/** Makes the stack in the local backend when it is not there yet, and chooses it. */
async function ensureStack(stack: string): Promise<void> {
  if ((await listLocalStacks()).includes(stack)) {
    await readPulumi(["stack", "select", stack]);
    return;
  }
  await runPulumi(["stack", "init", stack]);
  if (stack !== "local") await moveSaltToTwin(stack);
}

function textOf(outputs: Readonly<Record<string, unknown>>, name: string): string {
  const value = outputs[name];
  if (typeof value !== "string") throw new Error(`the stack has no output "${name}"`);
  return value;
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        env: text,
        prompt: text,
        port: text,
        "grpc-port": text,
        json: flag,
        help: { ...flag, short: "h" },
      },
    }).values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run local -- --help".`);
  }
}

await runMain(() => main(process.argv.slice(2)));
