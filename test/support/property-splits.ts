import fc from "fast-check";

/** A traffic split that a call gives; which ids it names is seen when the call is made. */
export interface SplitParams {
  readonly kind: "none" | "whole" | "short" | "stranger" | "negative";
  /** One for each id, in turn. */
  readonly weights: readonly number[];
}

export const splits: fc.Arbitrary<SplitParams> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constant("none" as const) },
    { weight: 6, arbitrary: fc.constant("whole" as const) },
    { weight: 1, arbitrary: fc.constantFrom("short", "stranger", "negative") },
  ),
  weights: fc.array(fc.constantFrom(0, 1, 3), { minLength: 1, maxLength: 3 }),
});

/** Shares over the ids by the weights that total 100, or fall short of it as the kind says. {} for "none" or no ids. */
export function resolveSplit(params: SplitParams, ids: readonly string[]): Record<string, number> {
  if (params.kind === "none") return {};
  if (params.kind === "stranger") return { "999": 100 };
  const weights = ids.map((_id, index) => params.weights[index % params.weights.length] ?? 0);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const shares = weights.map((weight) => (sum === 0 ? 0 : Math.floor((weight * 100) / sum)));
  const first = Math.max(
    0,
    weights.findIndex((weight) => weight > 0),
  );
  shares[first] = (shares[first] ?? 0) + 100 - shares.reduce((total, share) => total + share, 0);
  if (params.kind === "short") shares[first] -= 1;
  if (params.kind === "negative") {
    shares[first] += 150;
    const other = first === 0 ? shares.length - 1 : 0;
    shares[other] = (shares[other] ?? 0) - 150;
  }
  return Object.fromEntries(ids.map((id, index) => [id, shares[index] ?? 0]));
}
