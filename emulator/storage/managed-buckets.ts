import type { Buckets } from "./buckets.ts";
import type { Copies } from "./copies.ts";
import { StorageError } from "./errors.ts";
import type { Objects } from "./objects.ts";

/** Objects of one bucket whose names begin with `prefix`. */
export interface Folder {
  readonly bucket: string;
  /** "" or ends in "/". */
  readonly prefix: string;
}

/** The one role that anyone has on a managed bucket: roles/storage.objectViewer. */
const VIEWER_PERMISSIONS = ["storage.objects.get", "storage.objects.list"];
const READS = ["storage.objects.get", "storage.objects.list", "storage.buckets.testIamPermissions"];
/** Methods that read `bucket` and write `targetBucket`. */
const COPIES = ["storage.objects.copy", "storage.objects.rewrite"];

/**
 * Buckets that Google owns: no project lists them, everyone may read their objects, and only this class writes to them.
 * Vertex AI keeps the copies of uploaded models there.
 */
export class ManagedBuckets {
  readonly #buckets: Buckets;
  readonly #objects: Objects;
  readonly #copies: Copies;

  constructor(buckets: Buckets, objects: Objects, copies: Copies) {
    this.#buckets = buckets;
    this.#objects = objects;
    this.#copies = copies;
  }

  /** Throws 403 where the call of an API method would read or change more of a managed bucket than a viewer may. */
  checkCall(method: string, params: Readonly<Record<string, string>>): void {
    const bucket = COPIES.includes(method) ? params.targetBucket : params.bucket;
    if (bucket === undefined || READS.includes(method)) return;
    if (this.#buckets.find(bucket)?.managed !== true) return;
    throw new StorageError(
      "PERMISSION_DENIED",
      403,
      "forbidden",
      `The caller does not have access to call ${method} on the bucket "${bucket}": it belongs to Google. Use a bucket of your own.`,
    );
  }

  /** Those of the permissions that a caller has on the bucket; 404 for an unknown one. */
  heldPermissions(bucket: string, asked: readonly string[]): string[] {
    const { managed } = this.#buckets.get(bucket);
    // On any other bucket there is one caller and it may do everything.
    return asked.filter((permission) => !managed || VIEWER_PERMISSIONS.includes(permission));
  }

  /** See ObjectStore. */
  async copyFolder(source: Folder, target: Folder): Promise<void> {
    await this.#buckets.ensureManaged(target.bucket);
    try {
      await this.#copies.copyFolder(source, target);
    } catch (error) {
      await this.removeFolder(target);
      throw error;
    }
  }

  /** See ObjectStore. */
  async removeFolder({ bucket, prefix }: Folder): Promise<void> {
    const found = this.#buckets.find(bucket);
    if (found === undefined) return;
    if (found.managed !== true) throw new Error(`"${bucket}" is no managed bucket.`);
    for (const { name, generation } of this.#objects.listObjects(bucket, prefix)) {
      await this.#objects.delete({ bucket, name, generation }, {});
    }
  }
}
