import { setTimeout as delay } from "node:timers/promises";

import { Ambush, untilIdle } from "./program-ambush.ts";
import type { Disturbance } from "./program-disturbances.ts";
import type { EngineCommand } from "./program-engine.ts";
import type { ProgramSession } from "./program-session.ts";
import type { WorkerResult } from "./program-worker.ts";

const POLL_MS = 10;

/** What came of a run of the engine. */
export interface GatedResult {
  readonly result: WorkerResult;
  /** The changing calls in order, "DeployModel". */
  readonly calls: readonly string[];
  /** Whether anything that was to go wrong did. */
  readonly isDisturbed: boolean;
}

/**
 * Runs commands of the engine call by call: each changing call is stopped, so that what is there can be looked at, and is let
 * through, refused, or never answered as the disturbances say. One run at a time.
 */
export class Gate {
  readonly #session: ProgramSession;
  /** Holds an operation that a killed run has left, until the next run waits for it. */
  #leftHold: string | undefined;

  constructor(session: ProgramSession) {
    this.#session = session;
  }

  async run(
    command: EngineCommand,
    disturbances: readonly Disturbance[],
    onCall: () => Promise<void>,
  ): Promise<GatedResult> {
    const session = this.#session;
    await session.control("DELETE", "requests");
    const scene = new Ambush(session, disturbances);
    await scene.lay();
    const running = { result: undefined as WorkerResult | undefined };
    const ended = session.run(command).then((result) => (running.result = result));
    // A failure is thrown where it is awaited below.
    ended.catch(() => (running.result = "killed"));
    while (running.result === undefined) {
      await this.#releaseWhenAwaited();
      const stopped = await scene.findStopped();
      if (stopped === undefined) {
        await delay(POLL_MS);
        continue;
      }
      await onCall();
      if (await scene.goOn(stopped)) break;
    }
    const result = await ended;
    this.#leftHold = await scene.clear();
    return { result, calls: scene.calls, isDisturbed: scene.isDisturbed };
  }

  /** Lets go of what a killed run has left, and waits until nothing is under way. */
  async settle(): Promise<void> {
    await this.#session.control("DELETE", "faults");
    this.#leftHold = undefined;
    await untilIdle(this.#session, 0);
  }

  /** An operation that a killed run left goes on once this one has asked for it. */
  async #releaseWhenAwaited(): Promise<void> {
    if (this.#leftHold === undefined) return;
    const { requests } = (await this.#session.control("GET", "requests")) as {
      requests: { method: string }[];
    };
    if (!requests.some(({ method }) => method.endsWith("Operations.GetOperation"))) return;
    await this.#session.control("DELETE", `faults?id=${this.#leftHold}`);
    this.#leftHold = undefined;
  }
}
