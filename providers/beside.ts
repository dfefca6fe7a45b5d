import type { Bucket, File } from "@google-cloud/storage";

import { ARCHIVES_PREFIX, besideName, partsPrefix } from "./archive-names.ts";
import type { ArchiveEntry } from "./archive-plan.ts";
import { cancelled, showProgress } from "./engine.ts";
import { ReconcileError } from "./errors.ts";
import {
  OBJECT_CRC32C_KEY,
  OBJECT_DIGEST_KEY,
  OBJECT_SHA256_KEY,
  OBJECT_STACK_KEY,
  ownerOfObject,
} from "./ownership.ts";
import { sendObject } from "./send-object.ts";
import type { PartSizes } from "./upload-parts.ts";

/** What stands beside an archive: CRC32C (base64) by path, "weights/unet/model.safetensors". */
export type Beside = Readonly<Record<string, string>>;

export interface BesideRequest {
  readonly bucket: Bucket;
  readonly stackUid: string;
  /** Of the archive that they stand beside. */
  readonly digest: string;
  readonly files: readonly ArchiveEntry[];
  readonly sizes: PartSizes;
  /** Resource whose Info column shows progress. */
  readonly urn: string;
  /** Hears of everything that has arrived. */
  readonly onArrival: () => void;
}

/**
 * Makes sure that the files stand beside the archive. What another archive of this stack has beside it is copied within Cloud
 * Storage; only what is nowhere in the bucket is sent.
 */
export async function ensureBeside(request: BesideRequest): Promise<Beside> {
  const { bucket, stackUid, digest, files, urn } = request;
  if (files.length === 0) return {};
  const [objects] = await bucket.getFiles({ prefix: ARCHIVES_PREFIX });
  const byName = new Map(objects.map((object) => [object.name, object]));
  const donors = new Map(
    objects
      .filter((object) => isWhole(object) && keyOf(object, OBJECT_STACK_KEY) === stackUid)
      .map((object) => [keyOf(object, OBJECT_SHA256_KEY), object]),
  );
  const beside: Record<string, string> = {};
  const absent: ArchiveEntry[] = [];
  for (const file of files) {
    cancelled.throwIfAborted();
    const found = byName.get(besideName(digest, file.path));
    const donor = donors.get(file.sha256);
    if (found !== undefined) requireOurs(found, stackUid);
    if (found !== undefined && isWhole(found) && keyOf(found, OBJECT_SHA256_KEY) === file.sha256) {
      beside[file.path] = found.metadata.crc32c ?? "";
    } else if (donor !== undefined) {
      showProgress(urn, `copying ${file.path} within the bucket`);
      beside[file.path] = await copy(request, file, donor, found);
      request.onArrival();
    } else {
      absent.push(file);
    }
  }
  if (absent.length === 0) return beside;
  // Loaded only where there is something to send, as what packs is.
  const { filesToSend } = await import("./archive.ts");
  for (const file of await filesToSend(absent, urn)) {
    beside[file.path] = await send(request, file, byName.get(besideName(digest, file.path)));
    request.onArrival();
  }
  return beside;
}

/** What differs from what was recorded, in words; null: nothing. */
export async function besideDrift(
  bucket: Bucket,
  digest: string,
  recorded: Beside,
): Promise<string | null> {
  if (Object.keys(recorded).length === 0) return null;
  const [objects] = await bucket.getFiles({ prefix: besideName(digest, "") });
  const found = new Map(objects.map((object) => [object.name, object.metadata.crc32c]));
  for (const [path, crc32c] of Object.entries(recorded)) {
    const name = besideName(digest, path);
    const uri = `gs://${bucket.name}/${name}`;
    if (!found.has(name)) return `"${uri}" was deleted`;
    if (found.get(name) !== crc32c) return `"${uri}" was overwritten`;
  }
  return null;
}

/** Whether its bytes are those that it was made of. */
function isWhole(object: File): boolean {
  return object.metadata.crc32c === keyOf(object, OBJECT_CRC32C_KEY);
}

function keyOf(object: File, key: string): unknown {
  return object.metadata.metadata?.[key];
}

function requireOurs(object: File, stackUid: string): void {
  if (keyOf(object, OBJECT_STACK_KEY) === stackUid) return;
  throw new ReconcileError(
    `Could not upload the weights: "${object.cloudStorageURI.href}" belongs to ${ownerOfObject(object)}. Delete or move it, or choose another bucketName in the stack file.`,
  );
}

function marksOf({ stackUid, digest }: BesideRequest, file: ArchiveEntry): Record<string, string> {
  return {
    [OBJECT_STACK_KEY]: stackUid,
    [OBJECT_DIGEST_KEY]: digest,
    [OBJECT_SHA256_KEY]: file.sha256,
  };
}

/** Takes the place of what was seen there and of nothing else (HTTP 412), and copies the donor as it was seen. */
async function copy(
  request: BesideRequest,
  file: ArchiveEntry,
  donor: File,
  found: File | undefined,
): Promise<string> {
  const target = request.bucket.file(besideName(request.digest, file.path));
  const crc32c = donor.metadata.crc32c ?? "";
  await donor.copy(target, {
    contentType: "application/octet-stream",
    metadata: { ...marksOf(request, file), [OBJECT_CRC32C_KEY]: crc32c },
    preconditionOpts: { ifGenerationMatch: Number(found?.metadata.generation ?? 0) },
  });
  const [{ crc32c: arrived }] = await target.getMetadata();
  if (arrived === crc32c) return crc32c;
  // The donor was replaced meanwhile: the next try finds what is whole.
  throw Object.assign(new Error("an object changed while it was copied"), { code: 412 });
}

async function send(
  request: BesideRequest,
  file: ArchiveEntry,
  found: File | undefined,
): Promise<string> {
  const target = request.bucket.file(besideName(request.digest, file.path));
  await sendObject({
    file: target,
    path: file.source,
    contentType: "application/octet-stream",
    marks: marksOf(request, file),
    ifGenerationMatch: Number(found?.metadata.generation ?? 0),
    partsPrefix: partsPrefix(file.sha256),
    sizes: request.sizes,
    onProgress: (progress) => {
      showProgress(request.urn, `uploading ${file.path}: ${progress}`);
    },
    onArrival: request.onArrival,
  });
  const [{ crc32c }] = await target.getMetadata();
  return crc32c ?? "";
}
