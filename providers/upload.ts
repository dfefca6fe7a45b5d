import { rm } from "node:fs/promises";

import type { File, Storage } from "@google-cloud/storage";

import { buildArchive, readPlan } from "./archive.ts";
import { compare, driftNotice, inputsOf } from "./changes.ts";
import type { Changes, EffectTable } from "./changes.ts";
import { storageClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { say, showProgress } from "./engine.ts";
import { ReconcileError, explain, isNotFound, nullIfNotFound } from "./errors.ts";
import { migrateArchive } from "./migrations.ts";
import { deleteAsSeen, sendObject } from "./objects.ts";
import type { Sending } from "./objects.ts";
import { OBJECT_DIGEST_KEY, OBJECT_STACK_KEY, STACK_LABEL, ownerOf } from "./ownership.ts";
import { SCHEMA, plain } from "./results.ts";
import type { ReadResult, Reconciled } from "./results.ts";
import { retrying } from "./retry.ts";

export { check } from "./check.ts";

/** A model archive in the bucket, found by its digest. */
export interface ArchiveUploadInputs {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
  readonly bucket: string;
  /** SHA-256 of the archive's content, hex. */
  readonly digest: string;
  /** The plan that the program writes during `up`, relative to the project's folder. */
  readonly planPath: string;
  /** Resource whose Info column shows progress. */
  readonly progressUrn: string;
}

export interface ArchiveUploadOutputs extends ArchiveUploadInputs, Reconciled {
  /** Size of model.mar in bytes. */
  readonly sizeBytes: number;
  /** Checksum that Cloud Storage holds, base64. */
  readonly crc32c: string;
}

export const effects: EffectTable<ArchiveUploadInputs> = {
  emulator: "none",
  stackUid: "replace",
  project: "none",
  bucket: "replace",
  digest: "update",
  planPath: "none",
  progressUrn: "none",
};

/** Folder of every archive in a bucket. */
export const ARCHIVES_PREFIX = "archives/";

export function diff(
  _id: string,
  older: ArchiveUploadOutputs,
  wanted: ArchiveUploadInputs,
): Changes {
  const recorded = migrateArchive(older);
  const changes = compare(effects, recorded, wanted);
  return { ...changes, changes: changes.changes || Boolean(recorded.drift) };
}

export async function create(inputs: ArchiveUploadInputs) {
  return { id: `gs://${inputs.bucket}/archives`, outs: await reconcile(inputs, null) };
}

export async function update(
  _id: string,
  recorded: ArchiveUploadOutputs,
  inputs: ArchiveUploadInputs,
) {
  const crc32c = recorded.digest === inputs.digest ? recorded.crc32c : null;
  return { outs: await reconcile(inputs, crc32c) };
}

/**
 * Observes the object, and the bucket only where there is none: a bucket that is gone holds no archives; an object that is
 * gone or foreign is drift.
 */
export async function read(
  id: string,
  older: ArchiveUploadOutputs,
): Promise<ReadResult<ArchiveUploadOutputs>> {
  const recorded = migrateArchive(older);
  try {
    const storage = await storageOf(recorded);
    const file = await retrying(() => findObject(storage, recorded));
    if (file === null) {
      const [exists] = await retrying(() => storage.bucket(recorded.bucket).exists());
      if (!exists) return { id: "" };
    }
    const drift = describeDrift(recorded, file);
    const props = { ...recorded, drift };
    say(recorded.progressUrn, driftNotice(effects, recorded, props));
    return { id, props: plain(props), inputs: plain(inputsOf(effects, props)) };
  } catch (error) {
    throw explain(`read archive "${objectUri(recorded)}"`, error);
  }
}

export async function remove(_id: string, recorded: ArchiveUploadOutputs): Promise<void> {
  await deleteArchives(recorded);
}

/** What identifies a stack's archives: enough to sweep them when the engine never recorded them. */
export type ArchivesTarget = Pick<
  ArchiveUploadInputs,
  "emulator" | "stackUid" | "project" | "bucket"
>;

/** Deletes all archives in the bucket that bear this stack's mark. A bucket that is gone already is success. */
export async function deleteArchives(target: ArchivesTarget): Promise<void> {
  try {
    const storage = await storageOf(target);
    await retrying(async () => {
      const [files] = await storage.bucket(target.bucket).getFiles({ prefix: ARCHIVES_PREFIX });
      for (const file of files) {
        if (file.metadata.metadata?.[OBJECT_STACK_KEY] === target.stackUid) {
          await deleteAsSeen(file);
        }
      }
    });
  } catch (error) {
    if (isNotFound(error)) return;
    throw explain(`delete the archives in bucket "${target.bucket}"`, error);
  }
}

async function storageOf(target: Pick<ArchivesTarget, "emulator" | "project">): Promise<Storage> {
  return storageClient(requireConnection(target.emulator), target.project);
}

function objectName(digest: string): string {
  return `${ARCHIVES_PREFIX}${digest}/model.mar`;
}

function objectUri(inputs: Pick<ArchiveUploadInputs, "bucket" | "digest">): string {
  return `gs://${inputs.bucket}/${objectName(inputs.digest)}`;
}

/** The object with its metadata; null when it does not exist. */
async function findObject(
  storage: Storage,
  inputs: Pick<ArchiveUploadInputs, "bucket" | "digest">,
): Promise<File | null> {
  const file = storage.bucket(inputs.bucket).file(objectName(inputs.digest));
  return (await file.getMetadata().catch(nullIfNotFound)) === null ? null : file;
}

function describeDrift(recorded: ArchiveUploadOutputs, file: File | null): string | null {
  const uri = objectUri(recorded);
  if (file === null) return `"${uri}" was deleted`;
  if (file.metadata.crc32c !== recorded.crc32c) return `"${uri}" was overwritten`;
  return null;
}

async function reconcile(
  inputs: ArchiveUploadInputs,
  recordedCrc32c: string | null,
): Promise<ArchiveUploadOutputs> {
  try {
    const storage = await storageOf(inputs);
    const sending: Sending = {};
    const file = await retrying(() => ensureObject(storage, inputs, recordedCrc32c, sending));
    if (sending.path !== undefined) await rm(sending.path, { force: true });
    return plain({
      ...inputs,
      sizeBytes: Number(file.metadata.size ?? 0),
      crc32c: file.metadata.crc32c ?? "",
      schema: SCHEMA,
      pending: null,
      drift: null,
    });
  } catch (error) {
    throw explain(`upload archive "${objectUri(inputs)}"`, error);
  }
}

/**
 * Finds the archive at its digest's name, or builds and sends it. Somebody else's object at that name is refused; one of
 * ours whose bytes are not those that were recorded is sent again.
 */
async function ensureObject(
  storage: Storage,
  inputs: ArchiveUploadInputs,
  recordedCrc32c: string | null,
  sending: Sending,
): Promise<File> {
  const existing = await findObject(storage, inputs);
  if (existing !== null) {
    const metadata = existing.metadata.metadata;
    if (metadata?.[OBJECT_STACK_KEY] !== inputs.stackUid) {
      throw new ReconcileError(
        `Could not upload the archive: "${objectUri(inputs)}" belongs to ${ownerOf({ [STACK_LABEL]: String(metadata?.[OBJECT_STACK_KEY] ?? "") })}. Delete or move it, or choose another bucketName in the stack file.`,
      );
    }
    const isWhole = recordedCrc32c === null || existing.metadata.crc32c === recordedCrc32c;
    if (metadata[OBJECT_DIGEST_KEY] === inputs.digest && isWhole) return existing;
  }
  sending.path ??= await buildArchive(await readPlan(inputs.planPath), inputs.progressUrn);
  // Takes the place of what was seen and of nothing else: what somebody put there since is looked at first (HTTP 412).
  const ifGenerationMatch = existing?.metadata.generation ?? 0;
  const file = storage.bucket(inputs.bucket).file(objectName(inputs.digest));
  await sendObject({
    file,
    path: sending.path,
    metadata: {
      contentType: "application/zip",
      metadata: { [OBJECT_STACK_KEY]: inputs.stackUid, [OBJECT_DIGEST_KEY]: inputs.digest },
    },
    ifGenerationMatch: Number(ifGenerationMatch),
    sending,
    onProgress: (sent, size) => {
      const percent = Math.floor((100 * sent) / size);
      showProgress(
        inputs.progressUrn,
        `uploading model.mar: ${percent} % of ${(size / 1e6).toFixed(1)} MB`,
      );
    },
  });
  await file.getMetadata();
  return file;
}
