import { stat } from "node:fs/promises";

import type { File } from "@google-cloud/storage";

import { isRateLimit, isTransient } from "./errors.ts";

/** What one try of an upload leaves for the next. */
export interface Sending {
  /** The file that was built. */
  path?: string;
  /** The resumable session that was begun: what has arrived in it is not sent again. It is a key to the object, never shown. */
  session?: string;
}

export interface SendRequest {
  readonly file: File;
  /** File to send. */
  readonly path: string;
  readonly metadata: {
    readonly contentType: string;
    readonly metadata: Readonly<Record<string, string>>;
  };
  /** Generation that it may replace; 0: none. Anything else there is HTTP 412. */
  readonly ifGenerationMatch: number;
  readonly sending: Sending;
  readonly onProgress: (sentBytes: number, sizeBytes: number) => void;
}

/** Below this one request is quicker than a session (Cloud Storage advises resumable uploads from about 8 MiB). */
const RESUMABLE_FROM_BYTES = 8 * 1024 * 1024;

/** Sends a file, one try; a next try with the same `sending` goes on where a resumable session was cut off. */
export async function sendObject(request: SendRequest): Promise<void> {
  const { file, path, metadata, ifGenerationMatch, sending, onProgress } = request;
  const { size } = await stat(path);
  const preconditionOpts = { ifGenerationMatch };
  const resumable = size > RESUMABLE_FROM_BYTES;
  if (resumable) {
    sending.session ??= (await file.createResumableUpload({ metadata, preconditionOpts }))[0];
  }
  try {
    await file.bucket.upload(path, {
      destination: file,
      resumable,
      ...(sending.session === undefined ? {} : { uri: sending.session }),
      validation: "crc32c",
      metadata,
      preconditionOpts,
      onUploadProgress: ({ bytesWritten }: { bytesWritten: number }) => {
        onProgress(bytesWritten, size);
      },
    });
  } catch (error) {
    // A session that the server has closed or forgotten is of no more use.
    if (!isTransient(error) && !isRateLimit(error)) delete sending.session;
    throw error;
  }
}

/** Deletes an object as it was listed: one that somebody put there since stays (HTTP 412). Gone already is success. */
export async function deleteAsSeen(file: File): Promise<void> {
  await file.delete({ ignoreNotFound: true, ifGenerationMatch: file.metadata.generation });
}
