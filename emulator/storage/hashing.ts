import { createHash, type Hash } from "node:crypto";
import { Worker } from "node:worker_threads";

import { BlockPool } from "./block-pool.ts";
import type { ContentDigest } from "./content-hash.ts";
import { crc32c, encodeCrc32c } from "./crc32c.ts";

export type HashRequest =
  | { readonly id: number; readonly kind: "update"; readonly block: Uint8Array }
  | { readonly id: number; readonly kind: "digest" | "end" };

export interface HashReply {
  readonly md5Hash?: string;
}

/** The MD5 of content that begins with a block of at least this, bytes, is made in the thread. */
export const LARGE_BLOCK_BYTES = 256 * 1024;
/** A block is full when it holds that, and a socket hands over at most so much more. */
const POOLED_BLOCK_BYTES = LARGE_BLOCK_BYTES + 128 * 1024;

interface Waiting {
  readonly resolve: (reply: HashReply) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Makes the MD5 of large contents in one thread of its own, beside the thread that receives and writes them: it takes as
 * long as all the rest. The thread is started when it is first needed and keeps the process alive only while it is asked something.
 */
export class Hashing {
  readonly #blocks = new BlockPool(POOLED_BLOCK_BYTES);
  #worker: Worker | undefined;
  /** The thread answers in the order it was asked. */
  #waiting: Waiting[] = [];
  #lastId = 0;

  start(): StreamHash {
    return new StreamHash((request) => this.#ask(request), ++this.#lastId, this.#blocks);
  }

  /** Ends the thread; hashes that are under way fail. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #ask(request: HashRequest): Promise<HashReply> {
    const worker = (this.#worker ??= this.#startWorker());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  }

  #startWorker(): Worker {
    // Node's own options are this process's: some of them a thread would refuse.
    const worker = new Worker(new URL("./hash-worker.ts", import.meta.url), { execArgv: [] });
    worker.on("message", (reply: HashReply) => {
      this.#waiting.shift()?.resolve(reply);
      if (this.#waiting.length === 0) worker.unref();
    });
    const fail = (error: Error): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const { reject } of waiting) reject(error);
    };
    worker.on("error", fail);
    worker.on("exit", () => fail(new Error("The thread that hashes contents has ended.")));
    return worker;
  }
}

/** MD5, CRC32C and size of one content that passes piece by piece. */
export class StreamHash {
  readonly #ask: (request: HashRequest) => Promise<HashReply>;
  readonly #id: number;
  /** Decided by the first block: a content that begins small is hashed here, where no thread has to be asked. */
  #md5: Hash | undefined;
  #crc32c = 0;
  #size = 0;

  /** Where memory for its blocks comes from. */
  readonly blocks: BlockPool;

  constructor(ask: (request: HashRequest) => Promise<HashReply>, id: number, blocks: BlockPool) {
    this.#ask = ask;
    this.#id = id;
    this.blocks = blocks;
  }

  /** Bytes handed in so far. */
  get size(): number {
    return this.#size;
  }

  /** Takes the next bytes; they must stay as they are until this resolves. Calls need not wait for each other. */
  async update(block: Uint8Array): Promise<void> {
    if (this.#size === 0 && block.length < LARGE_BLOCK_BYTES) this.#md5 ??= createHash("md5");
    const done = this.#md5 ? undefined : this.#ask({ id: this.#id, kind: "update", block });
    this.#size += block.length;
    this.#md5?.update(block);
    this.#crc32c = crc32c(block, this.#crc32c);
    await done;
  }

  /** The digest of what was handed in so far; more may follow. */
  async digest(): Promise<ContentDigest & { readonly md5Hash: string }> {
    const { size } = this;
    const crc = encodeCrc32c(this.#crc32c);
    if (size === 0) this.#md5 ??= createHash("md5");
    if (this.#md5) return { size, md5Hash: this.#md5.copy().digest("base64"), crc32c: crc };
    const { md5Hash } = await this.#ask({ id: this.#id, kind: "digest" });
    if (md5Hash === undefined) throw new Error("The thread that hashes contents gave no digest.");
    return { size, md5Hash, crc32c: crc };
  }

  /** Lets go of what the thread keeps for it; it can't be used any more. */
  end(): void {
    if (this.#md5 || this.#size === 0) return;
    // Where the thread has ended there is nothing to let go of.
    this.#ask({ id: this.#id, kind: "end" }).catch(() => undefined);
  }
}
