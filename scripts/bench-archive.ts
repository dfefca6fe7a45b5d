/** `npm run bench:archive`: how fast archives are packed and sent, as ratios to what others need for the same file. */
import { dirname, join } from "node:path";
import { formatPack, measurePack } from "./bench/archive/pack.ts";
import { formatStacks, measureStacks } from "./bench/archive/stacks.ts";
import { formatUploads, measureUploads } from "./bench/archive/upload.ts";
import { withEmulator } from "./bench/emulator/subject.ts";
import { endingSignal } from "./bench/ending-signal.ts";
import { describeMachine, formatMachine } from "./bench/machine.ts";
import type { Machine } from "./bench/machine.ts";
import { COMMON_HELP, readOptions } from "./bench/options.ts";
import { findConformancePython } from "./toolchain/conformance-python.ts";
import { findPython } from "./toolchain/python-env.ts";
import { terminalReport } from "./toolchain/report.ts";
import type { Report } from "./toolchain/report.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run bench:archive [-- pack|upload|stacks] [options]

Measures the ways of an archive against each other. What is compared runs in turns in the same minutes, so the ratios hold
on a busy machine too; rates are this machine's.

  pack         random weights with a small handler: this project, torch-model-archiver and archiver with its defaults against
               cp of the weights; each by a process of its own, with its peak memory
  upload       to a local Cloud Storage: curl, this project, Google's Python and Node clients; each by a process of its own,
               with its peak memory. gsutil is not among them: its JSON API speaks https alone (gslib/gcs_json_api.py)
  stacks       the program with tiny and with large weights, by the real CLI: preview with no change, memory of the provider
               that packs and sends, and what a changed line of the handler sends

  --gib N      size of the file in GiB (default 1); the disk holds it up to eight times
${COMMON_HELP}
`;

/** What a part measures, and the machine it was measured on. */
interface PartResult {
  readonly machine: Machine;
  readonly figures: object;
  /** The figures for a person. */
  readonly text: string;
}

interface PartOptions {
  readonly sizeBytes: number;
  readonly rounds: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

const PARTS: Readonly<Record<string, (options: PartOptions) => Promise<PartResult>>> = {
  pack: measurePacking,
  upload: measureUpload,
  stacks: measureStack,
};

async function main(args: readonly string[]): Promise<void> {
  checkNode();
  const chosen = args.filter((arg) => arg in PARTS);
  const rest = args.filter((arg) => !(arg in PARTS));
  const options = readOptions("archive", rest, { gib: { type: "string" } });
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const { quick } = options;
  const settings = {
    sizeBytes: options.gib === undefined && quick ? 64 * 2 ** 20 : parseGib(options.gib ?? "1"),
    rounds: quick ? 1 : 3,
    signal: endingSignal(),
    report: terminalReport(),
  };
  const results: Record<string, PartResult> = {};
  for (const [name, measure] of Object.entries(PARTS)) {
    if (chosen.length === 0 || chosen.includes(name)) results[name] = await measure(settings);
  }
  if (options.json) {
    const json = Object.entries(results).map(([name, { machine, figures }]) => [
      name,
      { machine, ...figures },
    ]);
    process.stdout.write(`${JSON.stringify(Object.fromEntries(json), null, 2)}\n`);
    return;
  }
  const texts = Object.values(results).map(
    ({ machine, text }) => `${formatMachine(machine)}\n\n${text}`,
  );
  process.stdout.write(`\n${texts.join("\n\n")}\n`);
}

async function measurePacking({ report, ...options }: PartOptions): Promise<PartResult> {
  const { python } = await findPython(report);
  const machine = await describeMachine({
    npm: ["archiver", "fflate"],
    python: { interpreter: python, packages: ["torch-model-archiver"] },
  });
  const torchModelArchiver = [join(dirname(python), "torch-model-archiver")];
  const figures = await measurePack({ ...options, torchModelArchiver }, report);
  return { machine, figures, text: formatPack(figures) };
}

async function measureUpload({ report, ...options }: PartOptions): Promise<PartResult> {
  const python = await findConformancePython(report);
  const machine = await describeMachine({
    npm: ["@google-cloud/storage", "@node-rs/crc32"],
    python: { interpreter: python, packages: ["google-cloud-storage"] },
  });
  const server = await findPython(report);
  const figures = await withEmulator(server.python, (subject) =>
    measureUploads(subject, { ...options, python }, report),
  );
  return { machine, figures, text: formatUploads(figures) };
}

async function measureStack({ report, ...options }: PartOptions): Promise<PartResult> {
  const { python } = await findPython(report);
  const machine = await describeMachine({ npm: ["@pulumi/pulumi", "pulumi"] });
  const figures = await withEmulator(python, (subject) => measureStacks(subject, options, report));
  return { machine, figures, text: formatStacks(figures) };
}

function parseGib(text: string): number {
  const gib = Number(text);
  if (gib > 0 && gib <= 64) return Math.round(gib * 2 ** 30);
  throw new UserError(`--gib must be a number above 0 and at most 64; got "${text}".`);
}

await runMain(() => main(process.argv.slice(2)));
