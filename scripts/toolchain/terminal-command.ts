import { spawn } from "node:child_process";
import { constants } from "node:os";
import { PROJECT_ROOT } from "./project.ts";

/**
 * Runs a command in this terminal and returns its exit status, 128 and the signal's number where a signal ended it. Ctrl-C
 * reaches the command by itself; this process only must not die before it.
 */
export async function runInTerminal(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const child = spawn(command, args, { cwd: PROJECT_ROOT, env, stdio: "inherit" });
  const ignore = (): void => undefined;
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGINT", ignore);
  process.on("SIGTERM", passOn);
  process.on("SIGHUP", passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
  } finally {
    process.off("SIGINT", ignore);
    process.off("SIGTERM", passOn);
    process.off("SIGHUP", passOn);
  }
}
