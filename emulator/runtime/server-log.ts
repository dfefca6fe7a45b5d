import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";

export const LOG_FILE = "server.log";
/** The end of a longer log is what is read of it. */
const LONGEST_READ_BYTES = 4 * 1024 * 1024;
const TAIL_LINES = 25;

/** The log in the folder of a deployed model's server. */
export function logFile(folder: string): string {
  return join(folder, LOG_FILE);
}

/** What the processes of one deployed model wrote, over all restarts, and what the emulator did with them. */
export class ServerLog {
  readonly file: string;

  constructor(folder: string) {
    this.file = logFile(folder);
  }

  /** Adds a line of the emulator's own. */
  note(line: string): void {
    try {
      mkdirSync(dirname(this.file), { recursive: true });
      appendFileSync(this.file, `${new Date().toISOString()} emulator: ${line}\n`);
    } catch {
      // A full disk costs the line, not the emulator.
    }
  }

  /** Bytes that are written by now. */
  length(): number {
    return existsSync(this.file) ? statSync(this.file).size : 0;
  }

  /** What was written since that many bytes, "" when nothing was. */
  read(fromByte = 0): string {
    if (!existsSync(this.file)) return "";
    const descriptor = openSync(this.file, "r");
    try {
      const { size } = fstatSync(descriptor);
      const start = Math.max(fromByte, size - LONGEST_READ_BYTES);
      const bytes = Buffer.alloc(Math.max(0, size - start));
      const length = readSync(descriptor, bytes, 0, bytes.length, start);
      return bytes.toString("utf8", 0, length);
    } finally {
      closeSync(descriptor);
    }
  }

  /** The last lines that tell why: what the model's own process wrote, else all but the frontend's chatter. */
  tail(): string {
    const lines = this.read().trimEnd().split("\n");
    const own = lines.flatMap((line) => / MODEL_LOG - (.*)$/.exec(line)?.[1] ?? []);
    const telling = lines.filter(
      (line) => !/\[DEBUG\]|TS_METRICS|ACCESS_LOG|^\s+at |epollEventLoop/.test(line),
    );
    return (own.length > 0 ? own : telling).slice(-TAIL_LINES).join("\n");
  }
}
