import { setTimeout as sleep } from "node:timers/promises";

import { cancelled } from "./engine.ts";

/** Longest pause between two looks at a running operation, in milliseconds. Local stacks set a shorter one. */
export function pollIntervalMs(env: NodeJS.ProcessEnv = process.env): number {
  return fromEnvironment(env.VERTEX_DIFFUSION_POLL_MS, 5_000);
}

/**
 * How long Google may be unreachable or confused while an operation runs, in milliseconds. The pauses between the tries of
 * a call are parts of it. Tests set a shorter one.
 */
export function patienceMs(env: NodeJS.ProcessEnv = process.env): number {
  return fromEnvironment(env.VERTEX_DIFFUSION_PATIENCE_MS, 60_000);
}

const SHORTEST_MS = 10;

function fromEnvironment(text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return Number.isFinite(value) && value >= SHORTEST_MS ? value : otherwise;
}

/** Sleeps, but no longer than until the run is cancelled. */
export async function pause(ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: cancelled }).catch((error: unknown) => {
    if (!cancelled.aborted) throw error;
  });
}
