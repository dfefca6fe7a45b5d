import { spawn } from "node:child_process";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import { readStackFile } from "../toolchain/stack-choice.ts";
import { UserError } from "../toolchain/user-error.ts";
import { listLocalStacks } from "./stack-files.ts";

/** Runs `npm run pulumi -- ARGS` in this terminal, after showing it as a person would type it. */
export async function runPulumi(args: readonly string[]): Promise<void> {
  process.stderr.write(`$ npm run pulumi -- ${args.join(" ")}\n`);
  const code = await spawned(args, "inherit");
  if (code.status !== 0) {
    throw new UserError(
      `"npm run pulumi -- ${args.join(" ")}" ended with status ${code.status}. What stands above says why; the next run goes on from there. "npm run doctor" names what else is to mend.`,
    );
  }
}

/** Runs `npm run pulumi -- ARGS` and returns what it printed. */
export async function readPulumi(args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await spawned(args, "pipe");
  if (status !== 0) {
    const said = /^error: (.*)$/m.exec(stderr)?.[1] ?? stderr.trim();
    throw new UserError(
      `"npm run pulumi -- ${args.join(" ")}" ended with status ${status}: ${said}`,
    );
  }
  return stdout;
}

function spawned(args: readonly string[], stdio: "inherit" | "pipe"): Promise<Ended> {
  // Ctrl-C reaches the CLI by itself: it ends what it began, and this script only after it.
  const waitForChild = (): void => undefined;
  process.on("SIGINT", waitForChild);
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, ["scripts/pulumi.ts", ...args], {
      cwd: PROJECT_ROOT,
      // On a terminal the CLI draws its live table only when it has the keyboard too.
      stdio:
        stdio === "pipe"
          ? ["ignore", "pipe", "pipe"]
          : [process.stdin.isTTY ? "inherit" : "ignore", process.stderr, "inherit"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    child.once("error", reject);
    child.once("close", (status) => resolve({ status: status ?? 1, stdout, stderr }));
  }).finally(() => process.off("SIGINT", waitForChild));
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stack's outputs by name. A local stack that was never brought up is said so. */
export async function readOutputs(stack: string): Promise<Record<string, unknown>> {
  const file = await readStackFile(PROJECT_ROOT, stack);
  if (file?.isLocal === true && !(await listLocalStacks()).includes(stack)) {
    throw new UserError(`Stack "${stack}" is not up. Bring it up with "npm run local".`);
  }
  const text = await readPulumi(["stack", "output", "--json", "--stack", stack]);
  return JSON.parse(text) as Record<string, unknown>;
}

/** How many resources the last update of a stack changed, by kind: { create: 16 } or { same: 16 }. */
export async function readLastChanges(stack: string): Promise<Record<string, number>> {
  const text = await readPulumi([
    "stack",
    "history",
    "--json",
    "--page-size",
    "1",
    "--stack",
    stack,
  ]);
  const [last] = JSON.parse(text) as { resourceChanges?: Record<string, number> }[];
  return last?.resourceChanges ?? {};
}
