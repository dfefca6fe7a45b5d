import { megabytes } from "./units.ts";

/** The rate is what was moved in the last so many milliseconds. */
const WINDOW_MS = 10_000;

/** How far a transfer is, in words for the Info column. */
export class TransferProgress {
  readonly #size: number;
  readonly #now: () => number;
  readonly #samples: { readonly at: number; readonly moved: number }[];
  #found = 0;
  #moved = 0;

  /** `size` in bytes, `now` in milliseconds. */
  constructor(size: number, now: () => number = () => performance.now()) {
    this.#size = size;
    this.#now = now;
    this.#samples = [{ at: now(), moved: 0 }];
  }

  /** Bytes that an earlier run has moved. */
  find(bytes: number): void {
    this.#found += bytes;
  }

  /** Bytes that were moved; less than zero for those that have to be moved again. */
  move(bytes: number): void {
    this.#moved += bytes;
  }

  /** "42 % of 2130.4 MB, 88 MB/s, 14 s left". */
  toString(): string {
    const done = this.#found + this.#moved;
    const percent = this.#size === 0 ? 100 : Math.floor((100 * done) / this.#size);
    const parts = [`${percent} % of ${megabytes(this.#size)} MB`];
    const rate = this.#rate();
    if (rate > 0) {
      parts.push(`${formatRate(rate)} MB/s`, `${formatSeconds((this.#size - done) / rate)} left`);
    }
    const found = this.#found > 0 ? ` (${megabytes(this.#found)} MB were already there)` : "";
    return parts.join(", ") + found;
  }

  /** Bytes a second; 0 where nothing was moved yet. */
  #rate(): number {
    const at = this.#now();
    // The last sample before the window stays: from there the window is measured.
    while ((this.#samples[1]?.at ?? Infinity) <= at - WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0] ?? { at, moved: 0 };
    this.#samples.push({ at, moved: this.#moved });
    return at > first.at ? (1000 * (this.#moved - first.moved)) / (at - first.at) : 0;
  }
}

function formatRate(bytesPerSecond: number): string {
  const rate = bytesPerSecond / 1e6;
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}

function formatSeconds(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
