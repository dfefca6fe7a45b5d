import { type Hashing, LARGE_BLOCK_BYTES, type StreamHash } from "./hashing.ts";
import { checkObjectSize } from "./object-record.ts";
import type { DataWriter } from "./data-files.ts";
import type { Persistence } from "./persistence.ts";

/** A window of a stream that is kept: bytes before `from` and at or after `to` (both counted in the stream) are dropped. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

const WHOLE: Window = { from: 0, to: Infinity };
/** Blocks that may be written and hashed while the next one fills. */
const BLOCKS_IN_FLIGHT = 2;

/**
 * Writes a body to the end of a data file, block by block, and hashes it in step: more is taken from the socket only while
 * at most two blocks wait for disk and hash, so memory stays constant and the sender is slowed down. Answers the bytes
 * that the body had. When it throws, file and hash hold the same bytes as long as the body, not the disk, failed.
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  target: DataWriter,
  hash: StreamHash,
  window: Window = WHOLE,
): Promise<number> {
  const sink = new Sink(target, hash);
  let position = 0;
  try {
    for await (const chunk of body) {
      checkObjectSize(position + chunk.length);
      const from = Math.max(0, window.from - position);
      const to = Math.min(chunk.length, window.to - position);
      position += chunk.length;
      if (from >= to) continue;
      await sink.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to));
    }
  } finally {
    await sink.end();
  }
  return position;
}

/**
 * Stores one body as a new data file and hands that to `use`, which makes something of it. Where either fails the file is
 * removed again.
 */
export async function receiveNew<T>(
  body: AsyncIterable<Uint8Array>,
  persistence: Persistence,
  hashing: Hashing,
  use: (dataId: string, digest: Awaited<ReturnType<StreamHash["digest"]>>) => Promise<T>,
): Promise<T> {
  const dataId = persistence.newId();
  const hash = hashing.start();
  try {
    const data = await persistence.createData(dataId);
    try {
      await receive(body, data, hash);
    } finally {
      await data.close();
    }
    return await use(dataId, await hash.digest());
  } catch (error) {
    await persistence.removeData(dataId);
    throw error;
  } finally {
    hash.end();
  }
}

/** Gathers chunks into blocks, which are written and hashed at the same time. */
class Sink {
  readonly #target: DataWriter;
  readonly #hash: StreamHash;
  /** Chunks of the block to come. */
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Blocks under way, oldest first. */
  readonly #inFlight: Promise<void>[] = [];
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(target: DataWriter, hash: StreamHash) {
    this.#target = target;
    this.#hash = hash;
  }

  async push(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= LARGE_BLOCK_BYTES) await this.#flush();
  }

  /** Sends off what is left and waits for all of it. */
  async end(): Promise<void> {
    if (this.#size > 0) await this.#flush();
    await Promise.all(this.#inFlight);
  }

  async #flush(): Promise<void> {
    if (this.#inFlight.length >= BLOCKS_IN_FLIGHT) await this.#inFlight.shift();
    const memory = this.#takeMemory();
    const block = memory.subarray(0, this.#size);
    let at = 0;
    for (const chunk of this.#chunks) {
      block.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [];
    this.#size = 0;
    this.#lastWrite = this.#lastWrite.then(() => this.#target.write(block));
    const done = Promise.all([this.#lastWrite, this.#hash.update(block)]).then(() => {
      this.#hash.blocks.giveBack(memory);
    });
    // Whoever waits for it sees the failure; until then it must not count as unhandled.
    done.catch(() => undefined);
    this.#inFlight.push(done);
  }

  /** Room for the block to come; large blocks are shared with the thread that hashes them. */
  #takeMemory(): Uint8Array {
    return this.#size < LARGE_BLOCK_BYTES
      ? new Uint8Array(this.#size)
      : this.#hash.blocks.take(this.#size);
  }
}
