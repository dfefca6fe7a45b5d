import { createHash } from "node:crypto";
import { CRC32C } from "@google-cloud/storage";
import { ArchiveSourceError } from "../../components/source-folder.ts";
import type { LockedFile, LockedWeights } from "../../components/weights-lock.ts";
import type { WeightsSource } from "../../components/weights-source.ts";
import { listBucketFolder, openObject } from "../../providers/bucket-files.ts";
import type { FolderObject } from "../../providers/bucket-files.ts";
import { ReconcileError } from "../../providers/errors.ts";
import { retrying } from "../../providers/retry.ts";
import { choosePipelineFiles } from "./pipeline-files.ts";

type BucketSource = Extract<WeightsSource, { kind: "gs" }>;

/**
 * Lists the files of a folder in Cloud Storage that the handler loads, each by its generation. Cloud Storage knows no
 * SHA-256, so that every object is read once; what an earlier lock has of the same generation is not read again.
 *
 * @throws ArchiveSourceError for a folder that no pipeline can be loaded from.
 */
export async function lockBucketFolder(
  { bucket, folder }: BucketSource,
  known: LockedWeights | undefined,
  onProgress: (detail: string) => void,
): Promise<LockedWeights> {
  const name = `gs://${bucket}${folder === "" ? "" : `/${folder}`}`;
  onProgress("listing its objects");
  const listed = await retrying(() => listBucketFolder(bucket, folder));
  const index = listed.find(({ path }) => path === "model_index.json");
  if (index === undefined) {
    throw new ArchiveSourceError(
      "weights",
      `"${name}" has no model_index.json, so it is no diffusers pipeline. Copy one there with gcloud storage cp -r.`,
    );
  }
  const content = await retrying(() => readObject(index));
  const chosen = choosePipelineFiles(name, content.toString("utf8"), listed);
  const files: LockedFile[] = [];
  for (const { path, listed: object } of chosen) {
    const { generation, size, encoding } = object;
    if (encoding !== null) {
      throw new ArchiveSourceError(
        "weights",
        `"gs://${bucket}/${object.object}" is stored with Content-Encoding "${encoding}". Store it as it is.`,
      );
    }
    onProgress(`reading ${object.path} (${(size / 1e6).toFixed(1)} MB)`);
    const same = known?.files.find((file) => file.path === path && file.generation === generation);
    const sha256 = same?.sha256 ?? (await retrying(() => hashObject(object)));
    files.push({
      path,
      ...(object.path !== path && { from: object.path }),
      generation,
      size,
      sha256,
    });
  }
  return { files };
}

async function readObject(object: FolderObject): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  await readPieces(object, (piece) => pieces.push(piece));
  return Buffer.concat(pieces);
}

async function hashObject(object: FolderObject): Promise<string> {
  const hash = createHash("sha256");
  await readPieces(object, (piece) => hash.update(piece));
  return hash.digest("hex");
}

/** Reads an object whole, and compares the checksum that Cloud Storage has of it. */
async function readPieces(object: FolderObject, take: (piece: Uint8Array) => void): Promise<void> {
  const { content } = await openObject(object, 0, new AbortController().signal);
  const checksum = new CRC32C();
  for await (const piece of content) {
    checksum.update(Buffer.from(piece));
    take(piece);
  }
  if (checksum.validate(object.crc32c)) return;
  throw new ReconcileError(
    `what arrived of "gs://${object.bucket}/${object.object}" is not what Cloud Storage has.`,
  );
}
