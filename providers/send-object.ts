import { stat } from "node:fs/promises";

import type { File } from "@google-cloud/storage";

import { sendInParts } from "./composite-upload.ts";
import { crc32cOfFile, encodeCrc32c } from "./crc32c.ts";
import { cancelled } from "./engine.ts";
import { ReconcileError } from "./errors.ts";
import { sendRange } from "./objects.ts";
import { OBJECT_CRC32C_KEY } from "./ownership.ts";
import type { PartSizes } from "./upload-parts.ts";
import { TransferProgress } from "./transfer-progress.ts";

export interface SendRequest {
  /** The object that it becomes. */
  readonly file: File;
  /** File to send. */
  readonly path: string;
  readonly contentType: string;
  /** Marks of the owner: the object bears them, and its parts on the way. */
  readonly marks: Readonly<Record<string, string>>;
  /** Generation that it may replace; 0: none. Anything else there is HTTP 412. */
  readonly ifGenerationMatch: number;
  /** Where the parts of a long file wait for each other: a folder of this content's own. */
  readonly partsPrefix: string;
  readonly sizes: PartSizes;
  /** Hears how far it is. */
  readonly onProgress: (progress: TransferProgress) => void;
  /** Hears of each part that has arrived whole. */
  readonly onArrival: () => void;
}

/** Sends a file, one try. A next try, also of another process, sends only the parts that have not arrived. */
export async function sendObject(request: SendRequest): Promise<void> {
  const { file, path, contentType, marks, ifGenerationMatch, sizes, onProgress } = request;
  const { size } = await stat(path);
  const progress = new TransferProgress(size);
  try {
    if (size > sizes.whole) {
      await sendInParts(request, size, progress);
      return;
    }
    const crc32c = encodeCrc32c(await crc32cOfFile(path, 0, size));
    const description = { contentType, metadata: { ...marks, [OBJECT_CRC32C_KEY]: crc32c } };
    const onBytes = (bytes: number): void => {
      progress.move(bytes);
      onProgress(progress);
    };
    const range = { path, start: 0, end: size, crc32c, onBytes };
    await sendRange({ file, description, ifGenerationMatch, ...range });
  } catch (error) {
    if (!cancelled.aborted) throw error;
    throw new ReconcileError(
      `The run was cancelled while "${file.cloudStorageURI.href}" was uploaded. Run "up" again; parts that have arrived are not sent again.`,
    );
  }
}
