/** What the first call does about a fault that hits a method once; a plain second call converges from either. */
export type Verdict = "converges" | "says why";

/** One fault of the matrix: what the emulator is told, and what the reconcilers do about it. */
export interface FaultRow {
  readonly fault: string;
  readonly when: "before" | "after";
  readonly declared: Readonly<Record<string, unknown>>;
  readonly verdict: Verdict;
}

/**
 * What may happen to one call of Vertex AI. RESOURCE_EXHAUSTED without a rate in its words is a full quota: that is told,
 * not retried.
 */
const KINDS: readonly { fault: string; declared: object; verdict: Verdict }[] = [
  { fault: "UNAVAILABLE", declared: { status: "UNAVAILABLE" }, verdict: "converges" },
  { fault: "DEADLINE_EXCEEDED", declared: { status: "DEADLINE_EXCEEDED" }, verdict: "converges" },
  { fault: "ABORTED", declared: { status: "ABORTED" }, verdict: "converges" },
  { fault: "INTERNAL", declared: { status: "INTERNAL" }, verdict: "converges" },
  { fault: "reset", declared: { reset: true }, verdict: "converges" },
  { fault: "RESOURCE_EXHAUSTED", declared: { status: "RESOURCE_EXHAUSTED" }, verdict: "says why" },
  {
    fault: "RESOURCE_EXHAUSTED of a rate",
    declared: {
      status: "RESOURCE_EXHAUSTED",
      message: "Quota exceeded for limit 'Requests per minute per region'.",
    },
    verdict: "converges",
  },
];

/** Every kind, before the work and after it was done, when its answer is lost. */
export const MATRIX: readonly FaultRow[] = KINDS.flatMap(({ fault, declared, verdict }) =>
  (["before", "after"] as const).map((when) => ({
    fault,
    when,
    declared: { ...declared, when },
    verdict,
  })),
);

/** For calls that change nothing: an answer that is lost is as good as none. */
export const READ_MATRIX: readonly FaultRow[] = MATRIX.filter(({ when }) => when === "before");
