/** `npm run demo-model`: scripts/train-demo-model.py with the Python and the packages that it needs. */
import { join } from "node:path";
import { unpackHandlerPackages } from "./toolchain/handler-packages.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { findPython } from "./toolchain/python-env.ts";
import { terminalReport } from "./toolchain/report.ts";
import { runInTerminal } from "./toolchain/terminal-command.ts";
import { runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const SCRIPT = join(PROJECT_ROOT, "scripts/train-demo-model.py");

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const report = terminalReport();
  const { python } = await findPython(report);
  const { path } = await unpackHandlerPackages(python, report);
  const line = args.length === 0 ? ["--help"] : args;
  return runInTerminal(python, [SCRIPT, ...line], { ...process.env, PYTHONPATH: path });
}

await runMain(() => main(process.argv.slice(2)));
