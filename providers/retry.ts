import { cancelled } from "./engine.ts";
import { Code, OperationFailedError, codeOf, isRateLimit, isTransient } from "./errors.ts";
import { patienceMs, pause } from "./patience.ts";

/** Tries of one observe-and-change cycle. */
const MAX_TRIES = 6;

/** The pause before the second try as a part of the patience; it doubles each time: 15 s in all, a minute for a rate limit. */
const FIRST_PAUSE = 1 / 120;
const FIRST_RATE_LIMIT_PAUSE = 1 / 30;

/**
 * Whether the same cycle may go better a moment later. A full GPU quota or a refusal never does. A thing that somebody made
 * between the look and the change (ALREADY_EXISTS, HTTP 409 and 412) is seen by the next look.
 */
function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof OperationFailedError) return false;
  const code = codeOf(error);
  const isOvertaken = code === Code.ALREADY_EXISTS || code === 409 || code === 412;
  return isOvertaken || isTransient(error) || isRateLimit(error);
}

/**
 * Runs a cycle that observes first and changes only what is missing, again while the server is unreachable or confused.
 * Because it observes first, an answer that was lost after the work is found, not repeated. A failed try that `hasAdvanced`
 * does not count: what is long is not given up while it comes nearer to its end.
 */
export async function retrying<T>(
  cycle: () => Promise<T>,
  hasAdvanced: () => boolean = () => false,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await cycle();
    } catch (error) {
      if (hasAdvanced()) attempt = 1;
      if (attempt >= MAX_TRIES || cancelled.aborted || !isWorthAnotherTry(error)) throw error;
      const first = isRateLimit(error) ? FIRST_RATE_LIMIT_PAUSE : FIRST_PAUSE;
      await pause(patienceMs() * first * 2 ** (attempt - 1));
      if (cancelled.aborted) throw error;
    }
  }
}
