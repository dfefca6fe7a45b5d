import { projectNumberOf } from "../projects.ts";
import { changedBucketSettings, checkBucketName, newBucketSettings } from "./bucket-fields.ts";
import { conflict, noSuchBucket, StorageError } from "./errors.ts";
import { following, type Generations, toEtag } from "./generations.ts";
import { checkPolicy, defaultBindings } from "./iam-policy.ts";
import { type Json, type JsonObject, mergePatch, stringAt } from "./json.ts";
import type { Locks } from "./locks.ts";
import type { Persistence } from "./persistence.ts";
import { checkEtag, checkPreconditions, type Preconditions } from "./preconditions.ts";

/** A bucket as it is kept. */
export interface BucketRecord {
  /** Ours; tells a bucket from an earlier one of the same name. */
  readonly id: string;
  readonly name: string;
  /** Project as the client named it when it made the bucket; "" for a managed one. */
  readonly project: string;
  /** Owned by Google, not by a project: nobody but the local cloud itself changes it or what is in it. */
  readonly managed?: true;
  readonly generation: string;
  readonly metageneration: string;
  /** RFC 3339. */
  readonly timeCreated: string;
  readonly updated: string;
  /** All writable fields, whole, with Google's defaults. */
  readonly settings: JsonObject;
  readonly policy: BucketPolicy;
}

export interface BucketPolicy {
  /** Counts changes of the policy; the etag is made of it. */
  readonly revision: string;
  readonly version: number;
  readonly bindings: Json;
}

/** What Buckets must know of objects. */
export interface BucketContents {
  isEmpty(bucketId: string): boolean;
}

/** The buckets, in memory and on disk. */
export class Buckets {
  readonly #persistence: Persistence;
  readonly #generations: Generations;
  readonly #locks: Locks;
  readonly #now: () => Date;
  readonly #byName = new Map<string, BucketRecord>();

  constructor(persistence: Persistence, generations: Generations, locks: Locks, now: () => Date) {
    this.#persistence = persistence;
    this.#generations = generations;
    this.#locks = locks;
    this.#now = now;
  }

  async load(): Promise<void> {
    for (const document of await this.#persistence.readDocuments("buckets")) {
      const bucket = document as BucketRecord;
      this.#byName.set(bucket.name, bucket);
      this.#generations.passed(bucket.generation);
    }
  }

  clear(): void {
    this.#byName.clear();
  }

  /** All buckets by name, or those of one project. */
  list(project?: string): BucketRecord[] {
    return [...this.#byName.values()]
      .filter((bucket) => project === undefined || isOf(bucket, project))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: string): BucketRecord | undefined {
    return this.#byName.get(name);
  }

  /** The bucket; 404 where there is none. */
  get(name: string, conditions: Preconditions = {}): BucketRecord {
    const bucket = this.#byName.get(name);
    if (!bucket) throw noSuchBucket();
    checkPreconditions(conditions, bucket, "read");
    checkEtag(conditions, toEtag(bucket.metageneration));
    return bucket;
  }

  /** Makes a bucket; 409 where the name is taken, 400 where a field is refused. */
  insert(project: string, body: JsonObject): Promise<BucketRecord> {
    const name = stringAt(body, "name") ?? "";
    checkBucketName(name);
    return this.#locks.run(name, async () => {
      const taken = this.#byName.get(name);
      if (taken) {
        throw conflict(
          taken.managed
            ? "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
            : "Your previous request to create the named bucket succeeded and you already own it.",
        );
      }
      return this.#store(this.#newBucket(name, project, newBucketSettings(body, this.#now())));
    });
  }

  /** Makes the managed bucket where it is missing; 409 where a project has a bucket of that name. */
  ensureManaged(name: string): Promise<BucketRecord> {
    checkBucketName(name);
    return this.#locks.run(name, async () => {
      const found = this.#byName.get(name);
      if (found && !found.managed) throw conflict(`The bucket "${name}" belongs to a project.`);
      const settings = newBucketSettings({}, this.#now());
      return found ?? this.#store({ ...this.#newBucket(name, "", settings), managed: true });
    });
  }

  /** Merges `patch` into the bucket; `null` deletes a field. */
  patch(name: string, patch: JsonObject, conditions: Preconditions): Promise<BucketRecord> {
    return this.#change(name, conditions, (settings) => mergePatch(settings, patch));
  }

  /** Replaces every writable field by what `body` says. */
  update(name: string, body: JsonObject, conditions: Preconditions): Promise<BucketRecord> {
    return this.#change(name, conditions, () => body);
  }

  /** Removes an empty bucket; 409 where anything is in it. */
  delete(name: string, conditions: Preconditions, contents: BucketContents): Promise<void> {
    return this.#locks.run(name, async () => {
      const bucket = this.get(name);
      checkPreconditions(conditions, bucket, "write");
      if (!contents.isEmpty(bucket.id)) {
        throw conflict("The bucket you tried to delete is not empty.");
      }
      await this.#persistence.removeDocument("buckets", bucket.id);
      this.#byName.delete(name);
    });
  }

  /** Replaces the IAM policy; 412 where `body.etag` is not that of the present one. */
  setPolicy(name: string, body: JsonObject): Promise<BucketRecord> {
    return this.#locks.run(name, async () => {
      const bucket = this.get(name);
      if (typeof body.etag === "string" && body.etag !== toEtag(bucket.policy.revision)) {
        throw new StorageError(
          "ABORTED",
          412,
          "conditionNotMet",
          `The policy of bucket "${name}" was changed since it was read. Read it again.`,
        );
      }
      checkPolicy(body, bucket.settings);
      const policy = {
        revision: following(bucket.policy.revision),
        version: typeof body.version === "number" ? body.version : 1,
        bindings: body.bindings ?? [],
      };
      return this.#store({ ...bucket, policy });
    });
  }

  #newBucket(name: string, project: string, settings: JsonObject): BucketRecord {
    const now = this.#now().toISOString();
    return {
      id: this.#persistence.newId(),
      name,
      project,
      generation: this.#generations.next(),
      metageneration: "1",
      timeCreated: now,
      updated: now,
      settings,
      policy: { revision: "1", version: 1, bindings: defaultBindings(project, settings) },
    };
  }

  #change(
    name: string,
    conditions: Preconditions,
    change: (settings: JsonObject) => JsonObject,
  ): Promise<BucketRecord> {
    return this.#locks.run(name, async () => {
      const bucket = this.get(name);
      checkPreconditions(conditions, bucket, "write");
      const now = this.#now();
      return this.#store({
        ...bucket,
        metageneration: following(bucket.metageneration),
        updated: now.toISOString(),
        settings: changedBucketSettings(change(bucket.settings), bucket.settings, now),
      });
    });
  }

  async #store(bucket: BucketRecord): Promise<BucketRecord> {
    await this.#persistence.writeDocument("buckets", bucket.id, bucket);
    this.#byName.set(bucket.name, bucket);
    return bucket;
  }
}

/** Whether it is the project's; id and number name the same one. */
function isOf(bucket: BucketRecord, project: string): boolean {
  return !bucket.managed && projectNumberOf(bucket.project) === projectNumberOf(project);
}
