/** `npm run local:down`: destroys every local stack and stops the local Vertex AI. */
import { parseArgs } from "node:util";
import { ensureEmulator, stopEmulator } from "./local/emulator-process.ts";
import { readPulumi, runPulumi } from "./local/pulumi-runs.ts";
import { listLocalStacks } from "./local/stack-files.ts";
import { findRunningEmulator } from "./toolchain/emulator-address.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { findPython } from "./toolchain/python-env.ts";
import { terminalReport } from "./toolchain/report.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";

const HELP = `Usage: npm run local:down

Destroys every local stack, stops the local Vertex AI with its model servers, and checks that nothing is left. Pictures
in .local/out and what lies in the user's cache folder stay.
`;

/** What the local Vertex AI holds, as its control route tells it. */
interface Contents {
  readonly buckets: readonly unknown[];
  readonly models: readonly unknown[];
  readonly endpoints: readonly unknown[];
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const report = terminalReport();
  const stacks = await listLocalStacks();
  if (stacks.length > 0) {
    // The resources live in the emulator: without it they can't be deleted, only forgotten.
    const { python } = await findPython(report);
    await ensureEmulator({ python }, report);
  }
  for (const stack of stacks) {
    await runPulumi(["destroy", "--yes", "--skip-preview", "--stack", stack]);
    await readPulumi(["stack", "rm", "--yes", "--preserve-config", "--stack", stack]);
  }
  await requireEmpty();
  const stopped = await stopEmulator(report);
  process.stdout.write(
    stopped || stacks.length > 0
      ? "Nothing is left: no stack, bucket, model, endpoint or process.\n"
      : "Nothing was running: no stack, bucket, model, endpoint or process is left.\n",
  );
}

async function requireEmpty(): Promise<void> {
  const address = await findRunningEmulator(PROJECT_ROOT);
  if (address === undefined) return;
  const response = await fetch(`${address.rest}/_emulator/state`);
  const { buckets, models, endpoints } = (await response.json()) as Contents;
  const counts = `${buckets.length} buckets, ${models.length} models, ${endpoints.length} endpoints`;
  if (buckets.length + models.length + endpoints.length > 0) {
    throw new UserError(
      `The local Vertex AI still holds ${counts} that no local stack made. Remove them by hand, or all at once with: curl -X POST ${address.rest}/_emulator/reset`,
    );
  }
}

await runMain(() => main(process.argv.slice(2)));
