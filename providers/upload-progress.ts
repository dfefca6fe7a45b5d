/** How far an upload is, in words for the Info column. */
export class UploadProgress {
  readonly #size: number;
  readonly #now: () => number;
  readonly #startedAt: number;
  #found = 0;
  #sent = 0;

  /** `size` in bytes, `now` in milliseconds. */
  constructor(size: number, now: () => number = () => performance.now()) {
    this.#size = size;
    this.#now = now;
    this.#startedAt = now();
  }

  /** Bytes that an earlier run has sent. */
  find(bytes: number): void {
    this.#found += bytes;
  }

  /** Bytes that were handed to the connection; less than zero for those that have to be sent again. */
  send(bytes: number): void {
    this.#sent += bytes;
  }

  /** "42 % of 2130.4 MB, 88 MB/s, 14 s left". */
  toString(): string {
    const done = this.#found + this.#sent;
    const percent = this.#size === 0 ? 100 : Math.floor((100 * done) / this.#size);
    const parts = [`${percent} % of ${megabytes(this.#size)} MB`];
    const seconds = (this.#now() - this.#startedAt) / 1000;
    const rate = this.#sent / seconds;
    if (this.#sent > 0 && seconds > 0) {
      parts.push(`${formatRate(rate)} MB/s`, `${formatSeconds((this.#size - done) / rate)} left`);
    }
    const found = this.#found > 0 ? ` (${megabytes(this.#found)} MB were already there)` : "";
    return parts.join(", ") + found;
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
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
