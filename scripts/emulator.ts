/**
 * `npm run emulator`: the local Vertex AI in the foreground, with the Python that this project's toolchain found. All
 * options are emulator/main.ts's own.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { findPython } from "./toolchain/python-env.ts";
import { terminalReport } from "./toolchain/report.ts";
import { runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const isHelp = args.includes("--help") || args.includes("-h");
  const hasPython = args.some((argument) => argument.startsWith("--python"));
  const python =
    isHelp || hasPython ? [] : ["--python", (await findPython(terminalReport())).python];
  const child = spawn(
    process.execPath,
    [join(PROJECT_ROOT, "emulator/main.ts"), ...python, ...args],
    { cwd: PROJECT_ROOT, stdio: "inherit" },
  );
  // Ctrl-C reaches the emulator by itself, which then stops its model servers; a SIGTERM is passed on.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

await runMain(() => main(process.argv.slice(2)));
