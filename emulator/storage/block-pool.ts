/** Blocks that are kept for later; more at once are made and forgotten. */
const MAX_KEPT = 16;

/**
 * Memory for the blocks of contents on their way, shared with the thread that hashes them. Kept between contents: the first
 * use of new memory takes longer than the copy that it is for.
 */
export class BlockPool {
  readonly #blockBytes: number;
  readonly #free: Uint8Array[] = [];

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** A block of at least `size` bytes, with whatever was in it. */
  take(size: number): Uint8Array {
    if (size > this.#blockBytes) return new Uint8Array(new SharedArrayBuffer(size));
    return this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(this.#blockBytes));
  }

  giveBack(block: Uint8Array): void {
    if (block.length !== this.#blockBytes || this.#free.length >= MAX_KEPT) return;
    this.#free.push(block);
  }
}
