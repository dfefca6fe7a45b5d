/** The rate is what was moved in the last so many milliseconds. */
const WINDOW_MS = 10_000;

/** How far a transfer is, how fast it goes and how long it will take: "12 % of 2741.2 MB, 45.1 MB/s, 53 s left". */
export class TransferRate {
  private readonly total: number;
  private readonly nowMs: () => number;
  private samples: { readonly atMs: number; readonly done: number }[] = [];

  /** `total`: bytes of the whole transfer. */
  constructor(total: number, nowMs: () => number = () => performance.now()) {
    this.total = total;
    this.nowMs = nowMs;
  }

  /** The line for so many bytes that are there. Bytes that an earlier run had moved count in the first call. */
  describe(done: number): string {
    const atMs = this.nowMs();
    this.samples = this.samples.filter((sample) => atMs - sample.atMs <= WINDOW_MS);
    this.samples.push({ atMs, done });
    const percent = this.total === 0 ? 100 : Math.floor((100 * done) / this.total);
    const start = `${percent} % of ${(this.total / 1e6).toFixed(1)} MB`;
    const first = this.samples[0]!;
    const rate = (1_000 * (done - first.done)) / (atMs - first.atMs);
    if (!(rate > 0) || !Number.isFinite(rate)) return start;
    return `${start}, ${(rate / 1e6).toFixed(1)} MB/s, ${describeSeconds((this.total - done) / rate)} left`;
  }
}

function describeSeconds(exact: number): string {
  const seconds = Math.ceil(exact);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}
