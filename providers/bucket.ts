import type { Bucket } from "@google-cloud/storage";

import { storageClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { ReconcileError, codeOf, explain, isNotFound } from "./errors.ts";
import { isOurs, ownerOf } from "./ownership.ts";
import { retrying } from "./retry.ts";
import { deleteArchives } from "./upload.ts";

/** What identifies a stack's bucket: enough to find it when the engine never recorded it. */
export interface BucketTarget {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
  readonly bucket: string;
}

/**
 * Deletes the bucket that a killed run made and the engine never recorded, with this stack's archives. Gone already, or
 * somebody else's, is success.
 */
export async function deleteBucketOf(target: BucketTarget): Promise<void> {
  try {
    await retrying(async () => {
      const { bucket, labels } = await observe(target);
      if (labels === null || !isOurs(labels, target.stackUid)) return;
      await deleteArchives(target);
      await deleteEmpty(bucket);
    });
  } catch (error) {
    if (isNotFound(error)) return;
    throw explain(`delete bucket "${target.bucket}"`, error);
  }
}

/**
 * Makes way for a bucket that the engine is about to create: an empty one of that name that bears this stack's mark was left
 * by a killed run and is deleted. Throws ReconcileError, naming the owner, when the name is not this stack's.
 */
export async function makeWayForBucket(target: BucketTarget): Promise<void> {
  try {
    await retrying(async () => {
      const { bucket, labels } = await observe(target);
      if (labels === null) return;
      if (!isOurs(labels, target.stackUid)) {
        throw new ReconcileError(
          `Could not create bucket "${target.bucket}": it exists and belongs to ${labels === FORBIDDEN ? "somebody else" : ownerOf(labels)}. Set another bucketName in the stack file, or delete that bucket if nobody needs it.`,
        );
      }
      await deleteEmpty(bucket);
    });
  } catch (error) {
    if (isNotFound(error)) return;
    throw explain(`create bucket "${target.bucket}"`, error);
  }
}

/** Stands for the labels of a bucket that may not be read. */
const FORBIDDEN: Readonly<Record<string, string>> = {};

/** The bucket's labels; null when there is no such bucket. Bucket names are global: a forbidden one is another project's. */
async function observe(target: BucketTarget) {
  const storage = await storageClient(requireConnection(target.emulator), target.project);
  const bucket = storage.bucket(target.bucket);
  try {
    const [metadata] = await bucket.getMetadata();
    return { bucket, labels: metadata.labels as Readonly<Record<string, string>> | undefined };
  } catch (error) {
    if (isNotFound(error)) return { bucket, labels: null };
    if (codeOf(error) === 403) return { bucket, labels: FORBIDDEN };
    throw error;
  }
}

async function deleteEmpty(bucket: Bucket): Promise<void> {
  try {
    await bucket.delete();
  } catch (error) {
    if (codeOf(error) !== 409) throw error;
    throw new ReconcileError(
      `Could not delete bucket "${bucket.name}", which a killed run left behind: it holds objects that this stack did not put there. Move or delete them, then run the same command again.`,
      { cause: error },
    );
  }
}
