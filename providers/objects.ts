import type { File } from "@google-cloud/storage";

import { crc32c } from "@node-rs/crc32";

import { encodeCrc32c } from "./crc32c.ts";
import { postObject } from "./post-object.ts";
import type { FileRange } from "./post-object.ts";

/** What an object says of itself. */
export interface ObjectDescription {
  readonly contentType: string;
  /** Custom metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface RangeRequest extends Omit<FileRange, "onBlock"> {
  /** The object that it becomes. */
  readonly file: File;
  readonly description: ObjectDescription;
  /** Generation that it may replace; 0: none. Anything else there is HTTP 412. */
  readonly ifGenerationMatch: number;
  /** CRC32C of these bytes, base64, where it is known ahead: Cloud Storage refuses others and stores nothing of them. */
  readonly crc32c?: string;
  /** Hears of bytes as they go. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Makes an object of a file's bytes in one request and answers their CRC32C; afterwards `file.metadata` is what Cloud Storage
 * answered. What does not arrive as it was sent is deleted again.
 */
export async function sendRange(request: RangeRequest): Promise<number> {
  const { file, description, ifGenerationMatch, crc32c: expected } = request;
  let checksum = 0;
  const onBlock = (block: Buffer): void => {
    checksum = crc32c(block, checksum);
    request.onBytes(block.length);
  };
  const range = { ...request, onBlock };
  const resource = { ...description, ...(expected !== undefined && { crc32c: expected }) };
  file.metadata = await postObject(file, resource, ifGenerationMatch, range);
  const [arrived, sent] = [file.metadata.crc32c, encodeCrc32c(checksum)];
  if (arrived === sent) return checksum;
  await deleteAsSeen(file);
  throw new Error(`what arrived has the CRC32C ${arrived} instead of ${sent}, and was deleted`);
}

/** Deletes an object as it was listed: one that somebody put there since stays (HTTP 412). Gone already is success. */
export async function deleteAsSeen(file: File): Promise<void> {
  await file.delete({ ignoreNotFound: true, ifGenerationMatch: file.metadata.generation });
}
