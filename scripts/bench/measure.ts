/** How a set of measured values lies. */
export interface Spread {
  readonly count: number;
  readonly median: number;
  /** 95 of 100 values are at most this. */
  readonly p95: number;
  readonly low: number;
  readonly high: number;
}

/** One of the things that a benchmark sets against each other. */
export interface Contestant<T> {
  readonly name: string;
  readonly run: () => Promise<T>;
  /** For one that takes minutes: it runs in the first round that counts, and not to warm up. */
  readonly isSlow?: boolean;
}

/** How often, and until when. */
export interface RoundOptions {
  /** Rounds that count. One more before them warms caches, connections and compilers, and is dropped. */
  readonly rounds: number;
  /** Aborted: stops before the next contestant. */
  readonly signal: AbortSignal;
  /** Hears what runs next. */
  readonly onProgress?: (detail: string) => void;
}

/** Calls that several callers made side by side, each its next one when its last was answered. */
export interface CallRate {
  readonly callsPerSecond: number;
  /** Of each call, milliseconds. */
  readonly latenciesMs: readonly number[];
}

/** Throws a RangeError for no values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    count: sorted.length,
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    low: quantile(sorted, 0),
    high: quantile(sorted, 1),
  };
}

/** Between two values the nearer ones are mixed, so the median of 1 and 2 is 1.5. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)];
  const above = sorted[Math.ceil(at)];
  if (below === undefined || above === undefined) {
    throw new RangeError("nothing was measured: there is no median of no values");
  }
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * The spread of `a / b`, round by round: what slows a machine down for a while slows both, so their ratio says more than
 * two medians do.
 */
export function ratioOf(a: readonly number[], b: readonly number[]): Spread {
  return spreadOf(a.map((value, round) => value / (b[round] ?? Number.NaN)));
}

/**
 * Runs all contestants once a round, every other round in the reverse order, so that none always comes first. Returns
 * what each measured, by its name and in the order of rounds.
 */
export async function interleave<T>(
  contestants: readonly Contestant<T>[],
  { rounds, signal, onProgress }: RoundOptions,
): Promise<ReadonlyMap<string, readonly T[]>> {
  const results = new Map(contestants.map(({ name }) => [name, [] as T[]]));
  for (let round = 0; round <= rounds; round += 1) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const { name, run, isSlow } of order) {
      if (isSlow === true && round !== 1) continue;
      signal.throwIfAborted();
      onProgress?.(`${name}, ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}`);
      const result = await run();
      if (round > 0) results.get(name)?.push(result);
    }
  }
  return results;
}

/** How long the work takes, milliseconds. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Makes `calls` calls in all, `callers` at a time. */
export async function measureCalls(
  call: () => Promise<unknown>,
  { calls, callers }: { readonly calls: number; readonly callers: number },
): Promise<CallRate> {
  const latenciesMs: number[] = [];
  let left = calls;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      latenciesMs.push(await timeMs(call));
    }
  };
  const ms = await timeMs(() => Promise.all(Array.from({ length: callers }, caller)));
  return { callsPerSecond: (calls * 1000) / ms, latenciesMs };
}
