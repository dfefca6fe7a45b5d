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

/** The same while a command runs; throws what it printed when it ends before, or when the time is over. */
export async function waitDuring(
  run: { readonly ended: Promise<unknown>; output(): string },
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const ended = run.ended.then(() => {
    throw new Error(`${what} did not happen before the command ended.`);
  });
  try {
    await Promise.race([waitFor(what, condition, timeoutMs), ended]);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${run.output()}`, { cause: error });
  }
}
