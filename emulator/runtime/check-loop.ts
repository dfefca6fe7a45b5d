import { connect } from "node:net";
import type { Check, CheckAction } from "./checks.ts";
import { open, withRoute } from "./http-client.ts";
import { pause } from "./pause.ts";

export type Verdict = "passing" | "failing";

/** An eager check's first pauses. */
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 200;

/** Repeats a check at its pace until the signal, and tells each time that one of its thresholds is reached. */
export async function* verdictsOf(
  check: Check,
  attempt: () => Promise<boolean>,
  signal: AbortSignal,
): AsyncGenerator<Verdict> {
  let successes = 0;
  let failures = 0;
  let eagerPauseMs = check.isEager ? FIRST_PAUSE_MS : 0;
  await pause(check.initialDelayMs, signal);
  while (!signal.aborted) {
    const startedAt = performance.now();
    const isGood = await attempt();
    if (signal.aborted) return;
    successes = isGood ? successes + 1 : 0;
    failures = isGood ? 0 : failures + 1;
    if (isGood) eagerPauseMs = 0;
    if (successes >= check.successThreshold) yield "passing";
    if (failures >= check.failureThreshold) yield "failing";
    const restMs = Math.max(0, check.periodMs - (performance.now() - startedAt));
    await pause(eagerPauseMs || restMs, signal);
    eagerPauseMs = Math.min(eagerPauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** One attempt against the server at the given address. Never throws. */
export async function attemptCheck(
  action: CheckAction,
  url: string,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    if (action.kind === "http") return await asksWell(action, url, deadline);
    if (action.kind === "tcp") await connectTo(url, deadline);
    return true;
  } catch {
    return false;
  }
}

async function asksWell(
  { path, headers, statuses }: CheckAction & { readonly kind: "http" },
  url: string,
  signal: AbortSignal,
): Promise<boolean> {
  // A connection of its own: a kept one says nothing about the next caller's.
  const response = await open({
    method: "GET",
    url: withRoute(url, path),
    headers,
    agent: false,
    signal,
  });
  response.on("error", () => undefined).resume();
  const [lowest, highest] = statuses;
  const status = response.statusCode ?? 0;
  return status >= lowest && status <= highest;
}

async function connectTo(url: string, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), signal });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
  } finally {
    // An abort after this must find nobody to throw at.
    socket.on("error", () => undefined).destroy();
  }
}
