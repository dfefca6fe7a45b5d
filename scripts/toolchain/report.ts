/** One long step of a script, from its start to `done` or `fail`. */
export interface Step {
  /** Says what the step is doing now, in a few words. Cheap: call it as often as there is news. */
  update(detail: string): void;
  /** Ends the step well. */
  done(detail?: string): void;
  /** Ends the step badly. The error itself is the caller's to throw. */
  fail(detail: string): void;
}

/** Where a script's progress goes. Results go to stdout, progress never does. */
export interface Report {
  step(title: string): Step;
  note(line: string): void;
}

/** The part of a terminal (or file) that a report writes to. */
export interface ReportTarget {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 1_000;
const REMINDER_MS = 30_000;

/** "8 s", "3 min 05 s": how long something took, for people. */
export function formatElapsed(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0
    ? `${seconds} s`
    : `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** The line that stands for a running step, cut to the terminal's width so that it never wraps. */
export function formatProgress(
  title: string,
  elapsedMs: number,
  detail: string,
  columns = Infinity,
): string {
  const line = `${title} (${formatElapsed(elapsedMs)})${detail === "" ? "" : `: ${detail}`}`;
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 2))}…`;
}

/**
 * Reports on a terminal: one line per step that is redrawn each second. Where the target is no
 * terminal, plain lines: the start, the end, and one every 30 s between.
 */
export function terminalReport(target: ReportTarget = process.stderr, now = Date.now): Report {
  const isTerminal = target.isTTY === true;
  const clear = isTerminal ? "\r\u001b[2K" : "";
  let current: (() => void) | undefined;

  const writeLine = (line: string): void => {
    target.write(`${clear}${line}\n`);
    current?.();
  };

  return {
    note: writeLine,
    step(title) {
      const startedAt = now();
      let detail = "";
      const draw = (): void => {
        target.write(clear + formatProgress(title, now() - startedAt, detail, target.columns));
      };
      const remind = (): void => {
        target.write(`  ${formatProgress(title, now() - startedAt, detail)}\n`);
      };

      if (isTerminal) {
        current = draw;
        draw();
      } else {
        target.write(`${title} ...\n`);
      }
      const timer = setInterval(isTerminal ? draw : remind, isTerminal ? REDRAW_MS : REMINDER_MS);
      timer.unref();

      const end = (mark: string, last: string): void => {
        clearInterval(timer);
        current = undefined;
        writeLine(`${mark} ${formatProgress(title, now() - startedAt, last)}`);
      };
      return {
        update(news) {
          detail = news;
          if (isTerminal && current === draw) {
            draw();
          }
        },
        done: (last = "") => end("✓", last),
        fail: (last) => end("✗", last),
      };
    },
  };
}

/** Reports nothing; for tests and for `--json`. */
export const silentReport: Report = {
  note: () => undefined,
  step: () => ({ update: () => undefined, done: () => undefined, fail: () => undefined }),
};
