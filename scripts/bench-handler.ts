/** `npm run bench:handler`: how fast the handler makes pictures, against the bare pipeline and one prompt after the other. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endingSignal } from "./bench/ending-signal.ts";
import { formatHandler } from "./bench/handler/figures.ts";
import type { Measured } from "./bench/handler/figures.ts";
import { describeMachine, formatMachine } from "./bench/machine.ts";
import { COMMON_HELP, readOptions } from "./bench/options.ts";
import { unpackHandlerPackages } from "./toolchain/handler-packages.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { findPython } from "./toolchain/python-env.ts";
import { terminalReport } from "./toolchain/report.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run bench:handler [-- options]

Makes the same pictures in turns by the handler (from JSON to base64), by the bare diffusers pipeline with the same batch, and
as the public tutorial's handler does, one prompt after the other. One model in memory serves all three. Where torch finds a GPU
it is used, and its peak memory shown. "in the pipeline" is the share of a way's time inside of diffusers' own call: a machine
that others use too changes it little.

  --weights FOLDER  a pipeline's folder (default handler/demo-model)
  --steps N         denoising steps (default 20)
  --batches LIST    pictures asked for at once (default 1,2,4,8)
  --rounds N        how often each way has its turn (default 5)
  --price DOLLARS   of an hour of this machine: shows what 1000 images cost
${COMMON_HELP}
`;

const MEASURE = join(import.meta.dirname, "bench/handler/measure.py");

async function main(args: readonly string[]): Promise<void> {
  checkNode();
  const text = { type: "string" } as const;
  const options = readOptions("handler", args, {
    weights: text,
    steps: text,
    batches: text,
    rounds: text,
    price: text,
  });
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const steps = wholeNumber("steps", options.steps ?? "20");
  const batches = (options.batches ?? "1,2,4,8")
    .split(",")
    .map((each) => wholeNumber("batches", each));
  const rounds = wholeNumber("rounds", options.rounds ?? (options.quick ? "1" : "5"));
  const price = options.price === undefined ? undefined : dollars(options.price);
  const weights = options.weights ?? join(PROJECT_ROOT, "handler/demo-model");
  const report = terminalReport();
  const { python } = await findPython(report);
  const packages = await unpackHandlerPackages(python, report);
  const machine = await describeMachine({
    npm: [],
    python: { interpreter: python, packages: ["torch"] },
  });
  const step = report.step(`Making pictures, ${steps} steps`);
  const wanted = { weights, steps, batches, rounds };
  const measured = await measure(python, packages.path, wanted, (line) => step.update(line));
  step.done();
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ machine, ...measured }, null, 2)}\n`
      : `\n${formatMachine(machine)}\n\n${formatHandler(measured, steps, price)}\n`,
  );
}

/** Runs measure.py to its end. */
async function measure(
  python: string,
  packages: string,
  wanted: object,
  onProgress: (line: string) => void,
): Promise<Measured> {
  const path = [join(PROJECT_ROOT, "handler"), packages].filter(Boolean).join(":");
  const child = spawn(python, [MEASURE, JSON.stringify(wanted)], {
    env: { ...process.env, PYTHONPATH: path, HF_HUB_OFFLINE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    signal: endingSignal(),
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  let last = "";
  createInterface(child.stderr).on("line", (line) => {
    last = line;
    onProgress(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new UserError(`The measurement ended with ${code}: ${last}`);
  return JSON.parse(output) as Measured;
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 256) return number;
  throw new UserError(`--${option} takes whole numbers from 1 to 256; got "${text}".`);
}

function dollars(text: string): number {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new UserError(`--price must be a number of dollars above 0; got "${text}".`);
}

await runMain(() => main(process.argv.slice(2)));
