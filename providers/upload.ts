import { rm } from "node:fs/promises";

import type { File, Storage } from "@google-cloud/storage";

import { ARCHIVES_PREFIX, archiveName, partsPrefix } from "./archive-names.ts";
import { readPlan } from "./archive-plan.ts";
import type { ArchivePlan } from "./archive-plan.ts";
import { besideDrift, ensureBeside } from "./beside.ts";
import type { Beside } from "./beside.ts";
import { compare, driftNotice, inputsOf } from "./changes.ts";
import type { Changes, EffectTable } from "./changes.ts";
import { storageClient } from "./clients.ts";
import { deleteParts } from "./composite-upload.ts";
import { requireConnection } from "./connection.ts";
import { say, showProgress } from "./engine.ts";
import { ReconcileError, explain, isNotFound, nullIfNotFound } from "./errors.ts";
import { migrateArchive } from "./migrations.ts";
import { deleteAsSeen } from "./objects.ts";
import {
  OBJECT_CRC32C_KEY,
  OBJECT_DIGEST_KEY,
  OBJECT_STACK_KEY,
  ownerOfObject,
} from "./ownership.ts";
import { SCHEMA, plain } from "./results.ts";
import type { ReadResult, Reconciled } from "./results.ts";
import { retrying } from "./retry.ts";
import { sendObject } from "./send-object.ts";
import { PART_SIZES } from "./upload-parts.ts";
import type { PartSizes } from "./upload-parts.ts";

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
  /** Files beside model.mar, with their checksums. */
  readonly beside: Beside;
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

export function diff(
  _id: string,
  older: ArchiveUploadOutputs,
  wanted: ArchiveUploadInputs,
): Changes {
  const recorded = migrateArchive(older);
  const changes = compare(effects, recorded, wanted);
  return { ...changes, changes: changes.changes || Boolean(recorded.drift) };
}

/** `sizes` says how long archives are cut. */
export async function create(inputs: ArchiveUploadInputs, sizes: PartSizes = PART_SIZES) {
  return { id: `gs://${inputs.bucket}/archives`, outs: await reconcile(inputs, null, sizes) };
}

export async function update(
  _id: string,
  recorded: ArchiveUploadOutputs,
  inputs: ArchiveUploadInputs,
  sizes: PartSizes = PART_SIZES,
) {
  const crc32c = recorded.digest === inputs.digest ? recorded.crc32c : null;
  return { outs: await reconcile(inputs, crc32c, sizes) };
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
    const bucket = storage.bucket(recorded.bucket);
    const drift =
      describeDrift(recorded, file) ??
      (await retrying(() => besideDrift(bucket, recorded.digest, recorded.beside)));
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

function objectUri(inputs: Pick<ArchiveUploadInputs, "bucket" | "digest">): string {
  return `gs://${inputs.bucket}/${archiveName(inputs.digest)}`;
}

/** What packs is loaded only where there is something to pack: most runs find the archive in the bucket. */
async function build(plan: ArchivePlan, urn: string): Promise<string> {
  const { buildArchive } = await import("./archive.ts");
  return buildArchive(plan, urn);
}

/** The object with its metadata; null when it does not exist. */
async function findObject(
  storage: Storage,
  inputs: Pick<ArchiveUploadInputs, "bucket" | "digest">,
): Promise<File | null> {
  const file = storage.bucket(inputs.bucket).file(archiveName(inputs.digest));
  return (await file.getMetadata().catch(nullIfNotFound)) === null ? null : file;
}

function describeDrift(recorded: ArchiveUploadOutputs, file: File | null): string | null {
  const uri = objectUri(recorded);
  if (file === null) return `"${uri}" was deleted`;
  if (file.metadata.crc32c !== recorded.crc32c) return `"${uri}" was overwritten`;
  return null;
}

/** What one try leaves for the next. */
interface Sending {
  /** The file that was built. */
  path?: string;
  /** Whether a part of it has arrived since that was last asked. */
  hasAdvanced: boolean;
}

async function reconcile(
  inputs: ArchiveUploadInputs,
  recordedCrc32c: string | null,
  sizes: PartSizes,
): Promise<ArchiveUploadOutputs> {
  try {
    const storage = await storageOf(inputs);
    const sending: Sending = { hasAdvanced: false };
    const plan = await readPlan(inputs.planPath);
    const hasAdvanced = () => {
      const answer = sending.hasAdvanced;
      sending.hasAdvanced = false;
      return answer;
    };
    // Before the archive: where that is, its weights are.
    const beside = await retrying(
      () =>
        ensureBeside({
          ...{ bucket: storage.bucket(inputs.bucket), stackUid: inputs.stackUid },
          ...{ digest: inputs.digest, files: plan.beside ?? [], sizes, urn: inputs.progressUrn },
          onArrival: () => {
            sending.hasAdvanced = true;
          },
        }),
      hasAdvanced,
    );
    const file = await retrying(
      () => ensureObject(storage, inputs, plan, recordedCrc32c, sizes, sending),
      hasAdvanced,
    );
    if (sending.path !== undefined) await rm(sending.path, { force: true });
    return plain({
      ...inputs,
      sizeBytes: Number(file.metadata.size ?? 0),
      crc32c: file.metadata.crc32c ?? "",
      beside,
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
 * ours whose bytes are not those that were recorded, in the state or with the object, is sent again.
 */
async function ensureObject(
  storage: Storage,
  inputs: ArchiveUploadInputs,
  plan: ArchivePlan,
  recordedCrc32c: string | null,
  sizes: PartSizes,
  sending: Sending,
): Promise<File> {
  const { digest, stackUid } = inputs;
  const bucket = storage.bucket(inputs.bucket);
  const existing = await findObject(storage, inputs);
  const marks = { [OBJECT_STACK_KEY]: stackUid, [OBJECT_DIGEST_KEY]: digest };
  if (existing !== null) {
    const { metadata, crc32c, componentCount } = existing.metadata;
    if (metadata?.[OBJECT_STACK_KEY] !== stackUid) {
      throw new ReconcileError(
        `Could not upload the archive: "${objectUri(inputs)}" belongs to ${ownerOfObject(existing)}. Delete or move it, or choose another bucketName in the stack file.`,
      );
    }
    const known = recordedCrc32c ?? metadata[OBJECT_CRC32C_KEY] ?? crc32c;
    if (metadata[OBJECT_DIGEST_KEY] === digest && crc32c === known) {
      // A run that was killed when all had arrived may have left the parts.
      if (componentCount !== undefined) await deleteParts(bucket, partsPrefix(digest), marks);
      return existing;
    }
  }
  sending.path ??= await build(plan, inputs.progressUrn);
  const file = bucket.file(archiveName(digest));
  await sendObject({
    file,
    path: sending.path,
    contentType: "application/zip",
    marks,
    // Takes the place of what was seen and of nothing else: what somebody put there since is looked at first (HTTP 412).
    ifGenerationMatch: Number(existing?.metadata.generation ?? 0),
    partsPrefix: partsPrefix(digest),
    sizes,
    onProgress: (progress) => {
      showProgress(inputs.progressUrn, `uploading model.mar: ${progress}`);
    },
    onArrival: () => {
      sending.hasAdvanced = true;
    },
  });
  await file.getMetadata();
  return file;
}
