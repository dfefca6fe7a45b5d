import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import type { File } from "@google-cloud/storage";

import { READ_BYTES } from "./crc32c.ts";
import { cancelled } from "./engine.ts";

/** What an object says of itself. */
export interface ObjectDescription {
  readonly contentType: string;
  /** Custom metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface RangeRequest {
  /** The object that it becomes. */
  readonly file: File;
  readonly description: ObjectDescription;
  /** Generation that it may replace; 0: none. Anything else there is HTTP 412. */
  readonly ifGenerationMatch: number;
  /** The file, and which of its bytes: from `start` up to but without `end`. */
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** CRC32C of these bytes, base64. Cloud Storage refuses others and stores nothing of them. */
  readonly crc32c: string;
  /** Hears of bytes as they go. */
  readonly onBytes: (bytes: number) => void;
}

/** Makes an object of a file's bytes in one request; afterwards `file.metadata` is what Cloud Storage answered. */
export async function sendRange(request: RangeRequest): Promise<void> {
  const { file, description, ifGenerationMatch, path, start, end, crc32c, onBytes } = request;
  const content =
    end > start
      ? createReadStream(path, { start, end: end - 1, highWaterMark: READ_BYTES })
      : Readable.from([]);
  const target = file.createWriteStream({
    resumable: false,
    // The client's own checksum costs 25 s a gigabyte; the service compares the one that goes with the bytes.
    validation: false,
    metadata: { ...description, crc32c },
    preconditionOpts: { ifGenerationMatch },
  });
  const counted = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      onBytes(chunk.length);
      yield chunk;
    }
  };
  await pipeline(content, counted, target, { signal: cancelled });
}

/** Deletes an object as it was listed: one that somebody put there since stays (HTTP 412). Gone already is success. */
export async function deleteAsSeen(file: File): Promise<void> {
  await file.delete({ ignoreNotFound: true, ifGenerationMatch: file.metadata.generation });
}
