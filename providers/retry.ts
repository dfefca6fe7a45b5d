import { setTimeout as sleep } from "node:timers/promises";

import { Code, codeOf } from "./errors.ts";
import { OperationFailedError } from "./operations.ts";

/** Tries of one observe-and-change cycle, and the pause before the second; it doubles each time. */
const MAX_TRIES = 6;
const FIRST_PAUSE_MS = 500;

const RETRIED: ReadonlySet<number> = new Set([
  Code.UNAVAILABLE,
  Code.ABORTED,
  Code.DEADLINE_EXCEEDED,
  Code.INTERNAL,
  Code.UNKNOWN,
]);

/** Whether the same cycle may go better a moment later. A full quota or a refusal never does. */
function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof OperationFailedError) return false;
  const code = codeOf(error);
  return code !== undefined && (RETRIED.has(code) || (code >= 500 && code < 600));
}

/**
 * Runs a cycle that observes first and changes only what is missing, again while the server is unreachable or confused.
 * Because it observes first, an answer that was lost after the work is found, not repeated.
 */
export async function retrying<T>(cycle: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await cycle();
    } catch (error) {
      if (attempt >= MAX_TRIES || !isWorthAnotherTry(error)) throw error;
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }
}
