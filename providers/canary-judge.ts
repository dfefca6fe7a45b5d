import { cancelled } from "./engine.ts";
import { ReconcileError } from "./errors.ts";
import { pause } from "./patience.ts";
import type { Probe, ProbeAnswer } from "./probe.ts";

/** What a candidate must keep to. */
export interface CanaryLimits {
  /** Answers that the candidate must give in each step. At least 1. */
  readonly minSamples: number;
  /** How much slower than the old one it may answer, above 1. */
  readonly maxLatencyRatio: number;
}

/** How the old one answered while it had all the traffic; its answers in the steps are added to the latencies. */
export interface Baseline {
  /** Share of probes that got an error, 0 to 1. */
  readonly errorRatio: number;
  /** Share of answers without a picture, 0 to 1. */
  readonly noPictureRatio: number;
  readonly latenciesMs: number[];
}

export interface Step {
  readonly candidateId: string;
  /** Shortest time that the step lasts. */
  readonly bakeMs: number;
  /** Longest time in which the candidate must have given its answers. */
  readonly budgetMs: number;
}

/** A candidate may do this much worse than the old one: one lost answer in many is nobody's fault. */
const TOLERANCE = 0.05;
/** Below this a slower answer is noise, not a slower model. */
const LATENCY_SLACK_MS = 250;
/** Pause between two probes once the candidate has given its answers and only the bake time is left. */
const BAKE_PAUSE_MS = 5_000;

/** Asks the old one, which has all the traffic, so often. */
export async function measureBaseline(probe: Probe, probes: number): Promise<Baseline> {
  const answers: ProbeAnswer[] = [];
  while (answers.length < probes) answers.push(await sendProbe(probe));
  const named = answers.filter((answer) => answer.deployedModelId !== null);
  const noPicture = named.filter((answer) => answer.problem !== null);
  return {
    errorRatio: (answers.length - named.length) / answers.length,
    noPictureRatio: named.length === 0 ? 0 : noPicture.length / named.length,
    latenciesMs: named.map((answer) => answer.latencyMs),
  };
}

/**
 * Probes one step until the candidate has given its answers and the bake time is over. Returns why the candidate is to be
 * rolled back, as soon as it is known; null when the step is passed.
 */
export async function judgeStep(
  probe: Probe,
  step: Step,
  baseline: Baseline,
  limits: CanaryLimits,
): Promise<string | null> {
  const startedAt = performance.now();
  const seen = new StepRecord(step.candidateId, baseline);
  for (;;) {
    seen.add(await sendProbe(probe));
    const reason = seen.problem(limits);
    if (reason !== null) return reason;
    const elapsedMs = performance.now() - startedAt;
    const hasAnswered = seen.answered >= limits.minSamples;
    if (hasAnswered && elapsedMs >= step.bakeMs) return null;
    if (!hasAnswered && elapsedMs >= step.budgetMs) {
      const seconds = Math.round(elapsedMs / 1000);
      return `it gave ${seen.answered} answers in ${seconds} s, not ${limits.minSamples}`;
    }
    if (hasAnswered) await pause(Math.min(BAKE_PAUSE_MS, step.bakeMs - elapsedMs));
  }
}

/** What the probes of one step were answered, and what it says of the candidate. */
class StepRecord {
  readonly #candidateId: string;
  readonly #baseline: Baseline;
  readonly #latenciesMs: number[] = [];
  #probes = 0;
  #errors = 0;
  #noPicture = 0;
  #lastProblem = "";

  constructor(candidateId: string, baseline: Baseline) {
    this.#candidateId = candidateId;
    this.#baseline = baseline;
  }

  /** Answers that the candidate gave, good or not. */
  get answered(): number {
    return this.#latenciesMs.length;
  }

  add(answer: ProbeAnswer): void {
    this.#probes += 1;
    if (answer.deployedModelId === null) {
      this.#errors += 1;
      this.#lastProblem = answer.problem ?? "";
    } else if (answer.deployedModelId !== this.#candidateId) {
      this.#baseline.latenciesMs.push(answer.latencyMs);
    } else {
      this.#latenciesMs.push(answer.latencyMs);
      if (answer.problem === null) return;
      this.#noPicture += 1;
      this.#lastProblem = answer.problem;
    }
  }

  problem({ minSamples, maxLatencyRatio }: CanaryLimits): string | null {
    const { noPictureRatio, latenciesMs } = this.#baseline;
    // An error names no model: those beyond what the old one showed alone are the candidate's.
    const charged = Math.max(0, this.#errors - this.#expectedErrors());
    const outcomes = this.answered + charged;
    const bad = this.#noPicture + charged;
    if (outcomes > 0 && bad / outcomes > noPictureRatio + TOLERANCE) return this.#lastProblem;
    if (this.answered < minSamples || latenciesMs.length === 0) return null;
    const own = median(this.#latenciesMs);
    const old = median(latenciesMs);
    if (own <= Math.max(old * maxLatencyRatio, old + LATENCY_SLACK_MS)) return null;
    return `it answered in ${Math.round(own)} ms, the old one in ${Math.round(old)} ms: more than ${maxLatencyRatio} times as long`;
  }

  /** What the old one's own ratio explains, with the spread of chance where it is not nothing. */
  #expectedErrors(): number {
    const { errorRatio } = this.#baseline;
    if (errorRatio === 0) return 0;
    const spread = 2 * Math.sqrt(this.#probes * errorRatio * (1 - errorRatio));
    return this.#probes * errorRatio + spread + 1;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

async function sendProbe(probe: Probe): Promise<ProbeAnswer> {
  if (cancelled.aborted) {
    throw new ReconcileError(
      'The run was cancelled in mid-canary: all traffic goes back to the old one. Run "up" again; it starts the canary again.',
    );
  }
  return probe();
}
