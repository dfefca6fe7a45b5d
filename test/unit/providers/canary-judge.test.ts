import { describe, expect, it } from "@jest/globals";

import { judgeStep, measureBaseline } from "../../../providers/canary-judge.ts";
import type { Baseline } from "../../../providers/canary-judge.ts";
import type { ProbeAnswer } from "../../../providers/probe.ts";

const LIMITS = { minSamples: 3, maxLatencyRatio: 1.5 };
const STEP = { candidateId: "2", bakeMs: 0, budgetMs: 60_000 };

const good = (deployedModelId: string, latencyMs = 1000): ProbeAnswer => ({
  deployedModelId,
  latencyMs,
  problem: null,
});
const noPicture = (deployedModelId: string): ProbeAnswer => ({
  ...good(deployedModelId),
  problem: "it answered no picture",
});
const ERROR: ProbeAnswer = {
  deployedModelId: null,
  latencyMs: 5,
  problem: "it answered an error (no memory)",
};

/** A probe that is answered so, in turn, again and again. */
function answering(...answers: readonly ProbeAnswer[]) {
  let sent = 0;
  return async () => answers[sent++ % answers.length] ?? ERROR;
}

function baseline(changes: Partial<Baseline> = {}): Baseline {
  return { errorRatio: 0, noPictureRatio: 0, latenciesMs: [1000, 1000, 1000], ...changes };
}

describe("judgeStep", () => {
  it("passes a candidate that answers as the old one does", async () => {
    expect(await judgeStep(answering(good("1"), good("2")), STEP, baseline(), LIMITS)).toBeNull();
  });

  it.each([
    {
      does: "answers an error that names no model",
      answers: [good("1"), ERROR],
      reason: "it answered an error (no memory)",
    },
    {
      does: "answers no picture",
      answers: [good("1"), noPicture("2")],
      reason: "it answered no picture",
    },
    {
      does: "answers slower than the limit",
      answers: [good("2", 1600)],
      reason: "it answered in 1600 ms, the old one in 1000 ms: more than 1.5 times as long",
    },
  ])("fails a candidate that $does", async ({ answers, reason }) => {
    expect(await judgeStep(answering(...answers), STEP, baseline(), LIMITS)).toBe(reason);
  });

  it("does not hold against the candidate what the old one alone showed just before", async () => {
    const failing = baseline({ errorRatio: 0.5 });

    expect(
      await judgeStep(answering(ERROR, good("2"), good("1"), ERROR), STEP, failing, LIMITS),
    ).toBeNull();
  });

  it("fails a candidate that shows many more errors than the old one did", async () => {
    const failing = baseline({ errorRatio: 0.1 });

    expect(await judgeStep(answering(ERROR), STEP, failing, LIMITS)).toBe(
      "it answered an error (no memory)",
    );
  });

  it("takes a few milliseconds more for noise, whatever the ratio", async () => {
    const fast = baseline({ latenciesMs: [4, 5, 6] });

    expect(await judgeStep(answering(good("2", 200)), STEP, fast, LIMITS)).toBeNull();
  });

  it("fails a candidate that gives too few answers before the budget ends", async () => {
    const step = { ...STEP, budgetMs: 0 };

    expect(await judgeStep(answering(good("2"), good("1")), step, baseline(), LIMITS)).toBe(
      "it gave 1 answers in 0 s, not 3",
    );
  });
});

describe("measureBaseline", () => {
  it("counts errors and missing pictures apart, and keeps the latencies of the answers", async () => {
    const probe = answering(good("1", 10), noPicture("1"), ERROR, good("1", 30));

    expect(await measureBaseline(probe, 4)).toEqual({
      errorRatio: 0.25,
      noPictureRatio: 1 / 3,
      latenciesMs: [10, 1000, 30],
    });
  });
});
