/** How time passes for operations: as it does, in no time, or when someone says so. */
export const CLOCK_MODES = ["real", "fast", "manual"] as const;
export type ClockMode = (typeof CLOCK_MODES)[number];

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** The time that operations and timestamps go by. Server processes always start in real time. */
export class Clock {
  #mode: ClockMode;
  #manualMs: number;
  #sleepers: Sleeper[] = [];

  constructor(mode: ClockMode) {
    this.#mode = mode;
    this.#manualMs = Date.now();
  }

  get mode(): ClockMode {
    return this.#mode;
  }

  now(): Date {
    return new Date(this.#mode === "manual" ? this.#manualMs : Date.now());
  }

  /** Waits `ms` of this clock's time. */
  async sleep(ms: number): Promise<void> {
    if (ms <= 0 || this.#mode === "fast") return;
    await new Promise<void>((resolve) => {
      const sleeper = { dueMs: this.now().getTime() + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      if (this.#mode === "real") setTimeout(() => this.#wake([sleeper]), ms).unref();
    });
  }

  /** Moves a manual clock forward; whatever is due by then goes on. */
  advance(ms: number): void {
    this.#manualMs += ms;
    this.#wake(this.#sleepers.filter((sleeper) => sleeper.dueMs <= this.#manualMs));
  }

  /** Changes how time passes; leaving a mode wakes what slept in it. */
  setMode(mode: ClockMode): void {
    this.#manualMs = this.now().getTime();
    this.#mode = mode;
    this.#wake([...this.#sleepers]);
  }

  #wake(due: readonly Sleeper[]): void {
    this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper));
    for (const sleeper of due) sleeper.wake();
  }
}
