import type { Bucket, File } from "@google-cloud/storage";

import { combineCrc32c, crc32cOfFile, encodeCrc32c } from "./crc32c.ts";
import { cancelled } from "./engine.ts";
import { ReconcileError, isNotFound } from "./errors.ts";
import { deleteAsSeen, sendRange } from "./objects.ts";
import { OBJECT_CRC32C_KEY, OBJECT_STACK_KEY, ownerOfObject } from "./ownership.ts";
import type { SendRequest } from "./send-object.ts";
import { planParts } from "./upload-parts.ts";
import type { Part } from "./upload-parts.ts";
import type { TransferProgress } from "./transfer-progress.ts";

/** Requests at once. */
const PARALLEL = 4;

/** A part in the bucket, as it is to be composed. */
interface ArrivedPart {
  readonly file: File;
  /** Bytes. */
  readonly size: number;
  readonly crc32c: number;
}

/**
 * A parallel composite upload: parts are objects of their own, each with its checksum, until one call makes them one
 * object. Cloud Storage's XML multipart uploads need no objects between, but take no preconditions
 * (cloud.google.com/storage/docs/multipart-uploads), and their upload id would have to be kept for the next process.
 */
export async function sendInParts(
  request: SendRequest,
  size: number,
  progress: TransferProgress,
): Promise<void> {
  const { file, partsPrefix, sizes } = request;
  const found = await listParts(file.bucket, partsPrefix);
  const parts = planParts(size, sizes);
  const arrived = new Array<ArrivedPart>(parts.length);
  await inParallel([...parts.entries()], async ([index, part]) => {
    arrived[index] = await ensurePart(request, part, found.get(partsPrefix + part.name), progress);
  });
  await compose(request, arrived);
  await deleteParts(file.bucket, partsPrefix, request.marks);
}

/** Deletes what bears these marks of the parts in a folder, also those of an upload that was cut otherwise. */
export async function deleteParts(
  bucket: Bucket,
  prefix: string,
  marks: Readonly<Record<string, string>>,
): Promise<void> {
  const files = [...(await listParts(bucket, prefix)).values()];
  const ours = files.filter((file) => stackOf(file) === marks[OBJECT_STACK_KEY]);
  await inParallel(ours, deleteAsSeen);
}

/** Parts by name. */
async function listParts(bucket: Bucket, prefix: string): Promise<ReadonlyMap<string, File>> {
  const [files] = await bucket.getFiles({ prefix });
  return new Map(files.map((file) => [file.name, file]));
}

function stackOf(file: File): unknown {
  return file.metadata.metadata?.[OBJECT_STACK_KEY];
}

/** Sends a part, unless it is there: by its size and the checksum of the file's bytes as they are now. */
async function ensurePart(
  { file: { bucket }, path, marks, partsPrefix, onProgress, onArrival }: SendRequest,
  { name, start, end }: Part,
  found: File | undefined,
  progress: TransferProgress,
): Promise<ArrivedPart> {
  cancelled.throwIfAborted();
  const size = end - start;
  const file = bucket.file(partsPrefix + name);
  if (found !== undefined && stackOf(found) !== marks[OBJECT_STACK_KEY]) {
    throw new ReconcileError(
      `Could not upload the archive: "${file.cloudStorageURI.href}" belongs to ${ownerOfObject(found)}. Delete or move it, then run the same command again.`,
    );
  }
  if (found !== undefined && Number(found.metadata.size) === size) {
    const checksum = await crc32cOfFile(path, start, end);
    if (found.metadata.crc32c === encodeCrc32c(checksum)) {
      progress.find(size);
      onProgress(progress);
      return { file: found, size, crc32c: checksum };
    }
  }
  let sent = 0;
  try {
    const checksum = await sendRange({
      ...{ file, path, start, end },
      description: { contentType: "application/octet-stream", metadata: marks },
      ifGenerationMatch: Number(found?.metadata.generation ?? 0),
      onBytes: (bytes) => {
        sent += bytes;
        progress.move(bytes);
        onProgress(progress);
      },
    });
    onArrival();
    return { file, size, crc32c: checksum };
  } catch (error) {
    progress.move(-sent);
    throw error;
  }
}

/** Makes one object of the parts as they arrived, and of nothing that somebody put in their place (HTTP 412). */
async function compose(request: SendRequest, parts: readonly ArrivedPart[]): Promise<void> {
  const { file, contentType, marks, ifGenerationMatch } = request;
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const checksum = parts.reduce((sum, part) => combineCrc32c(sum, part.crc32c, part.size), 0);
  const crc32c = encodeCrc32c(checksum);
  const destination = { contentType, metadata: { ...marks, [OBJECT_CRC32C_KEY]: crc32c } };
  const sourceObjects = parts.map((part) => ({
    name: part.file.name,
    objectPreconditions: { ifGenerationMatch: part.file.metadata.generation },
  }));
  try {
    // Not bucket.combine(): it passes on no custom metadata, and for a moment the object would be nobody's.
    await file.request({
      method: "POST",
      uri: "/compose",
      qs: { ifGenerationMatch },
      json: { destination, sourceObjects },
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    // Overtaken, as when it had been replaced: the next try looks at what is there.
    throw Object.assign(new Error("a part was deleted before all had arrived"), { code: 412 });
  }
  const [composed] = await file.getMetadata();
  if (composed.crc32c === crc32c && Number(composed.size) === size) return;
  await deleteAsSeen(file);
  throw new ReconcileError(
    `Could not upload the archive: "${file.cloudStorageURI.href}" arrived with the CRC32C ${composed.crc32c} instead of ${crc32c}, and was deleted. Run the same command again.`,
  );
}

/** Does the work for all items, a few at a time. After a failure no more is begun. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of waiting) {
      if (failures.length > 0) return;
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  if (failures.length > 0) throw failures[0];
}
