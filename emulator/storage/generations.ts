/** Hands out generation numbers: microseconds of the clock, and always more than any number before. */
export class Generations {
  readonly #now: () => Date;
  #last = 0n;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Makes sure that no number up to `generation` is handed out again. */
  passed(generation: string): void {
    const value = BigInt(generation);
    if (value > this.#last) this.#last = value;
  }

  next(): string {
    const clock = BigInt(this.#now().getTime()) * 1000n;
    this.#last = clock > this.#last ? clock : this.#last + 1n;
    return this.#last.toString();
  }
}

/** An etag as Google writes it: base64 of a small message of varints (field 1, field 2 ...). */
export function toEtag(...numbers: (string | bigint)[]): string {
  const bytes: number[] = [];
  numbers.forEach((number, index) => {
    bytes.push(((index + 1) << 3) | 0);
    let rest = BigInt(number);
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
  });
  return Buffer.from(bytes).toString("base64");
}

/** The metageneration after `metageneration`. */
export function following(metageneration: string): string {
  return (BigInt(metageneration) + 1n).toString();
}
