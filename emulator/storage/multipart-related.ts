import { invalid } from "./errors.ts";

/** Longest part header and longest first part (the metadata), bytes. */
const MAX_HEADER_BYTES = 16 * 1024;

/** The boundary of a `multipart/related` content type, quoted or not; 400 where there is none. */
export function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (!boundary || boundary.length > 200) {
    throw invalid(
      `Multipart upload with content type "${contentType}" has no usable boundary. Send multipart/related; boundary=....`,
    );
  }
  return boundary;
}

/** One part as it passes. `body` must be read to its end before the next part is asked for. */
export interface Part {
  readonly contentType: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Takes a multipart body apart while it arrives; holds no more than a chunk and a boundary's length. */
export class MultipartReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #delimiter: Buffer;
  /** Received and not yet handed on. Begins with the line end that belongs to the first delimiter. */
  #pending: Buffer = Buffer.from("\r\n");

  constructor(source: AsyncIterable<Uint8Array>, boundary: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
  }

  /** The first part; what stands before it is skipped. */
  async first(): Promise<Part> {
    for await (const _ of this.#untilDelimiter()) {
      // preamble: RFC 2046 says to ignore it
    }
    return this.next();
  }

  /** The next part; 400 where the body ends instead. */
  async next(): Promise<Part> {
    const head = await this.#readHead();
    const [, contentType] = /^content-type:\s*(.*?)\s*$/im.exec(head) ?? [];
    return { contentType, body: this.#untilDelimiter() };
  }

  /** Reads what is left behind the last part. */
  async drain(): Promise<void> {
    do this.#pending = Buffer.alloc(0);
    while (await this.#fill());
  }

  /** Lets go of the body without reading on. */
  async release(): Promise<void> {
    await this.#source.return?.();
  }

  async #readHead(): Promise<string> {
    for (;;) {
      if (this.#pending.subarray(0, 2).toString() === "--") throw truncated();
      // A part without headers has its empty line at once, directly after the delimiter's line end.
      const end = this.#pending.indexOf("\r\n\r\n");
      if (end >= 0) {
        const head = this.#pending.subarray(0, end).toString("latin1");
        this.#pending = this.#pending.subarray(end + 4);
        return head;
      }
      if (this.#pending.length > MAX_HEADER_BYTES) {
        throw invalid(
          `A part of the multipart upload has more than ${MAX_HEADER_BYTES} bytes of headers.`,
        );
      }
      if (!(await this.#fill())) throw truncated();
    }
  }

  async *#untilDelimiter(): AsyncGenerator<Uint8Array> {
    const length = this.#delimiter.length;
    for (;;) {
      const at = this.#pending.indexOf(this.#delimiter);
      if (at >= 0) {
        const last = this.#pending.subarray(0, at);
        this.#pending = this.#pending.subarray(at + length);
        if (last.length > 0) yield last;
        return;
      }
      // The end of what is here may be the beginning of a delimiter.
      const sure = Math.max(0, this.#pending.length - length + 1);
      if (sure > 0) yield this.#pending.subarray(0, sure);
      const tail = this.#pending.subarray(sure);
      const next = await this.#read();
      if (next === undefined) throw truncated();
      // Chunks are not joined where that can be told apart by a few bytes: joining them all copies the whole content.
      const seam = Buffer.concat([tail, next.subarray(0, length - 1)]);
      if (next.length < length || seam.includes(this.#delimiter)) {
        this.#pending = Buffer.concat([tail, next]);
      } else {
        if (tail.length > 0) yield tail;
        this.#pending = next;
      }
    }
  }

  async #fill(): Promise<boolean> {
    const next = await this.#read();
    if (next === undefined) return false;
    this.#pending = this.#pending.length === 0 ? next : Buffer.concat([this.#pending, next]);
    return true;
  }

  async #read(): Promise<Buffer | undefined> {
    const { done, value } = await this.#source.next();
    return done ? undefined : Buffer.from(value.buffer, value.byteOffset, value.length);
  }
}

function truncated(): Error {
  return invalid(
    "The multipart upload ended before its last boundary. Send two parts, metadata and media, and the closing boundary.",
  );
}
