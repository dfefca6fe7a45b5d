import type { File } from "@google-cloud/storage";

import { postObject } from "./post-object.ts";
import type { FileRange } from "./post-object.ts";

/** What an object says of itself. */
export interface ObjectDescription {
  readonly contentType: string;
  /** Custom metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface RangeRequest extends FileRange {
  /** The object that it becomes. */
  readonly file: File;
  readonly description: ObjectDescription;
  /** Generation that it may replace; 0: none. Anything else there is HTTP 412. */
  readonly ifGenerationMatch: number;
  /** CRC32C of these bytes, base64. Cloud Storage refuses others and stores nothing of them. */
  readonly crc32c: string;
}

/** Makes an object of a file's bytes in one request; afterwards `file.metadata` is what Cloud Storage answered. */
export async function sendRange(request: RangeRequest): Promise<void> {
  const { file, description, ifGenerationMatch, crc32c } = request;
  file.metadata = await postObject(file, { ...description, crc32c }, ifGenerationMatch, request);
}

/** Deletes an object as it was listed: one that somebody put there since stays (HTTP 412). Gone already is success. */
export async function deleteAsSeen(file: File): Promise<void> {
  await file.delete({ ignoreNotFound: true, ifGenerationMatch: file.metadata.generation });
}
