import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** How a finished command ended. */
export interface CommandResult {
  /** Exit status; -1 when a signal ended the command. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command. */
export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Gets each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
  /** The command is killed after this many milliseconds. @default none */
  readonly timeoutMs?: number;
}

const LAST_LINES = 20;
const running = new Set<ChildProcess>();

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A script that ends by a signal must not leave a compiler running for minutes behind it. */
function endBySignal(signal: NodeJS.Signals): void {
  for (const child of running) {
    child.kill("SIGTERM");
  }
  forgetSignals();
  process.kill(process.pid, signal);
}

function watchSignals(): void {
  for (const signal of SIGNALS) {
    process.on(signal, endBySignal);
  }
}

function forgetSignals(): void {
  for (const signal of SIGNALS) {
    process.off(signal, endBySignal);
  }
}

/**
 * Runs a command to its end and returns what it printed.
 *
 * @throws when the program can't be started at all. A non-zero exit status is a result, not an error.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: options.timeoutMs,
  });
  if (running.size === 0) {
    watchSignals();
  }
  running.add(child);
  try {
    const ended = new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? -1));
    });
    const [code, stdout, stderr] = await Promise.all([
      ended,
      collect(child.stdout, options.onLine),
      collect(child.stderr, options.onLine),
    ]);
    return { code, stdout, stderr };
  } finally {
    running.delete(child);
    if (running.size === 0) {
      forgetSignals();
    }
  }
}

/**
 * Like `runCommand`, for a command that has to succeed.
 *
 * @throws with the command and its last lines when it exits non-zero.
 */
export async function requireCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await runCommand(command, args, options);
  if (result.code !== 0) {
    throw new CommandError([command, ...args].join(" "), result);
  }
  return result;
}

/** A command that had to succeed exited non-zero. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly result: CommandResult;

  constructor(commandLine: string, result: CommandResult) {
    const lines = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-LAST_LINES);
    super(`"${commandLine}" ended with status ${result.code}:\n${lines.join("\n")}`);
    this.result = result;
  }
}

async function collect(stream: Readable, onLine?: (line: string) => void): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    lines.push(line);
    onLine?.(line);
  }
  return lines.join("\n");
}
