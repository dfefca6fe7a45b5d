import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 50;

/** Polls until the condition holds. Throws, naming it, when it does not within the time. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${timeoutMs} ms.`);
    await delay(POLL_MS);
  }
}
