/** `npm run bench:emulator`: how fast the local Vertex AI and Cloud Storage are, as ratios to what the machine can do. */
import { formatControlPlane, measureControlPlane } from "./bench/emulator/control-plane.ts";
import { formatPredict, measurePredict } from "./bench/emulator/predict.ts";
import { formatStorage, measureStorage } from "./bench/emulator/storage.ts";
import { withEmulator } from "./bench/emulator/subject.ts";
import { describeMachine, formatMachine } from "./bench/machine.ts";
import { endingSignal } from "./bench/ending-signal.ts";
import { COMMON_HELP, parseSize, readOptions } from "./bench/options.ts";
import { findPython } from "./toolchain/python-env.ts";
import { terminalReport } from "./toolchain/report.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run bench:emulator [-- options]

Measures a local Vertex AI of its own: calls of the control plane against a bare server that answers the same bytes,
uploads and downloads against a copy of the same file, predictions against the same TorchServe asked directly. What is
compared runs in turns in the same minutes, so the ratios hold on a busy machine too; rates are this machine's.

  --only PART  control-plane, storage or predict (default: all three, 5 to 15 minutes)
  --size SIZE  of the file that is uploaded and downloaded (default 1GiB); the disk holds it up to four times
${COMMON_HELP}
`;

const PARTS = ["control-plane", "storage", "predict"] as const;
const MIB = 2 ** 20;

async function main(args: readonly string[]): Promise<void> {
  checkNode();
  const options = readOptions("emulator", args, {
    only: { type: "string" },
    size: { type: "string" },
  });
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const parts = choosePart(options.only);
  const { quick } = options;
  const sizeBytes =
    options.size === undefined ? (quick ? 64 : 1024) * MIB : parseSize(options.size);
  const report = terminalReport();
  const { python } = await findPython(report);
  const machine = await describeMachine({
    npm: ["@google-cloud/aiplatform", "@google-cloud/storage", "@grpc/grpc-js"],
    python: { interpreter: python, packages: ["torchserve"] },
  });
  const signal = endingSignal();
  const run = <T>(
    part: (typeof PARTS)[number],
    work: Parameters<typeof withEmulator<T>>[1],
  ): Promise<T> | undefined => (parts.includes(part) ? withEmulator(python, work) : undefined);

  const controlPlane = await run("control-plane", (subject) =>
    measureControlPlane(
      subject,
      quick
        ? { rounds: 2, calls: 50, manyEndpoints: 200, signal }
        : { rounds: 5, calls: 200, manyEndpoints: 1000, signal },
      report,
    ),
  );
  const storage = await run("storage", (subject) =>
    measureStorage(subject, { rounds: quick ? 2 : 3, sizeBytes, signal }, report),
  );
  const predict = await run("predict", (subject) =>
    measurePredict(subject, { rounds: quick ? 3 : 10, calls: quick ? 10 : 30, signal }, report),
  );

  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ machine, controlPlane, storage, predict }, null, 2)}\n`,
    );
    return;
  }
  const tables = [
    ...(controlPlane === undefined ? [] : [formatControlPlane(controlPlane)]),
    ...(storage === undefined ? [] : [formatStorage(storage)]),
    ...(predict === undefined ? [] : [formatPredict(predict)]),
  ];
  process.stdout.write(`\n${[formatMachine(machine), ...tables].join("\n\n")}\n`);
}

function choosePart(only: string | undefined): readonly (typeof PARTS)[number][] {
  const chosen = PARTS.filter((part) => only === undefined || part === only);
  if (chosen.length > 0) return chosen;
  throw new UserError(`--only must be one of ${PARTS.join(", ")}; got "${only}".`);
}

await runMain(() => main(process.argv.slice(2)));
