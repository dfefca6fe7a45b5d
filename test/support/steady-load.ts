import { setTimeout as pause } from "node:timers/promises";

import { waitFor } from "./wait-for.ts";

/** What steady predictions were answered. */
export interface LoadReport {
  /** Number of the model version -> good answers that it gave. */
  readonly answers: Readonly<Record<string, number>>;
  /** Each request that got no good answer, in words. */
  readonly failures: readonly string[];
}

/** How heavy the load is. */
export interface LoadOptions {
  /** Callers at once. @default 8 */
  readonly workers?: number;
  /** What each asks for. @default the prompt alone */
  readonly instance?: object;
}

const WORKERS = 8;
/** Between two requests of one worker. */
const PAUSE_MS = 100;
/** First bytes of a PNG file, in base64. */
const PICTURE = "iVBORw0KGgo";

/** So many before what is looked at begins, and after it. */
const AROUND = 20;

/** Predicts over HTTP, as callers do, from several workers at once and never twice: before, during and after the work. */
export async function predictDuring(
  { rest, endpoint }: { readonly rest: string; readonly endpoint: string },
  work: () => Promise<unknown>,
  { workers: count = WORKERS, instance = {} }: LoadOptions = {},
): Promise<LoadReport> {
  const answers: Record<string, number> = {};
  const failures: string[] = [];
  let ended = 0;
  let isOver = false;
  const keepAsking = async (): Promise<void> => {
    while (!isOver) {
      const answer = await predict(`${rest}/v1/${endpoint}:predict`, instance);
      if ("failure" in answer) failures.push(answer.failure);
      else answers[answer.version] = (answers[answer.version] ?? 0) + 1;
      ended += 1;
      await pause(PAUSE_MS);
    }
  };
  const waitForMore = async (): Promise<void> => {
    const goal = ended + AROUND;
    await waitFor(`${AROUND} more predictions`, () => ended >= goal, 60_000);
  };
  const workers = Array.from({ length: count }, keepAsking);
  try {
    await waitForMore();
    await work();
    await waitForMore();
  } finally {
    isOver = true;
    await Promise.all(workers);
  }
  return { answers, failures };
}

/** One prediction: good is 200 with one picture and the version that drew it. */
async function predict(
  url: string,
  instance: object,
): Promise<{ version: string } | { failure: string }> {
  try {
    const body = JSON.stringify({ instances: [{ prompt: "a red circle", ...instance }] });
    const response = await fetch(url, { method: "POST", body });
    const text = await response.text();
    if (response.status !== 200) return { failure: `${response.status}: ${text}` };
    const { predictions, modelVersionId } = JSON.parse(text) as {
      predictions?: unknown[];
      modelVersionId?: string;
    };
    const isGood = predictions?.length === 1 && String(predictions[0]).startsWith(PICTURE);
    if (!isGood || modelVersionId === undefined) return { failure: `a bad body: ${text}` };
    return { version: modelVersionId };
  } catch (error) {
    return { failure: `no answer: ${String(error)}` };
  }
}
