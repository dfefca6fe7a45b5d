import { hasVersioning } from "./bucket-fields.ts";
import type { BucketRecord, Buckets } from "./buckets.ts";
import { noSuchBucket } from "./errors.ts";
import { following, type Generations, toEtag } from "./generations.ts";
import { type JsonObject, mergePatch, objectAt, pick, stringAt } from "./json.ts";
import { type Listing, listPage, type ListOptions } from "./listing.ts";
import type { Locks } from "./locks.ts";
import { ObjectIndex } from "./object-index.ts";
import {
  checkObjectName,
  type ObjectCandidate,
  type ObjectMetadata,
  type ObjectRecord,
  toObjectMetadata,
  toWritableResource,
} from "./object-record.ts";
import type { DataReader } from "./data-files.ts";
import type { Persistence } from "./persistence.ts";
import { checkEtag, checkPreconditions, type Preconditions } from "./preconditions.ts";
import { checkRemovable } from "./retention.ts";

/** Where an object is: a live one, or one of its generations. */
export interface ObjectAddress {
  readonly bucket: string;
  readonly name: string;
  readonly generation?: string;
}

/** The objects, in memory and on disk. Every change of a bucket's objects waits for the one before it. */
export class Objects {
  readonly #persistence: Persistence;
  readonly #buckets: Buckets;
  readonly #generations: Generations;
  readonly #locks: Locks;
  readonly #now: () => Date;
  readonly #index = new ObjectIndex();

  constructor(
    persistence: Persistence,
    buckets: Buckets,
    generations: Generations,
    locks: Locks,
    now: () => Date,
  ) {
    this.#persistence = persistence;
    this.#buckets = buckets;
    this.#generations = generations;
    this.#locks = locks;
    this.#now = now;
  }

  /** Reads what is on disk and ends what a crash left half done. Answers the objects by their data files. */
  async load(): Promise<Map<string, ObjectRecord>> {
    const bucketIds = new Map(this.#buckets.list().map((bucket) => [bucket.id, bucket]));
    const records = (await this.#persistence.readDocuments("objects")) as ObjectRecord[];
    records.sort((a, b) => (BigInt(a.generation) < BigInt(b.generation) ? -1 : 1));
    for (const record of records) {
      this.#generations.passed(record.generation);
      const bucket = bucketIds.get(record.bucketId);
      if (!bucket) {
        await this.#persistence.removeDocument("objects", record.dataId);
        continue;
      }
      const predecessor = this.#index.find(record.bucketId, record.name);
      this.#index.put(record);
      if (predecessor && record.timeDeleted === undefined) await this.#retire(bucket, predecessor);
    }
    const kept = [...bucketIds.keys()].flatMap((id) => this.#index.records(id, true));
    return new Map(kept.map((record) => [record.dataId, record]));
  }

  clear(): void {
    this.#index.clear();
  }

  isEmpty(bucketId: string): boolean {
    return this.#index.isEmpty(bucketId);
  }

  /** Live objects of a bucket. */
  count(bucketId: string): number {
    return this.#index.records(bucketId).length;
  }

  /** Live objects whose names begin with `prefix`, by name; 404 for an unknown bucket. */
  listObjects(bucket: string, prefix: string): ObjectRecord[] {
    const records = this.#index.records(this.#buckets.get(bucket).id);
    return records
      .filter((record) => record.name.startsWith(prefix))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  list(bucket: string, options: ListOptions & { versions?: boolean }): Listing {
    return listPage(this.#index.records(this.#buckets.get(bucket).id, options.versions), options);
  }

  /** The bucket; 404 for an unknown one. */
  bucket(name: string): BucketRecord {
    return this.#buckets.get(name);
  }

  /** The object, or undefined where there is none; 404 for an unknown bucket. */
  find({ bucket, name, generation }: ObjectAddress): ObjectRecord | undefined {
    return this.#index.find(this.#buckets.get(bucket).id, name, generation);
  }

  get(address: ObjectAddress, conditions: Preconditions = {}): ObjectRecord {
    const record = this.#find(address);
    checkPreconditions(conditions, record, "read");
    checkEtag(conditions, toEtag(record.generation, record.metageneration));
    return record;
  }

  /** The object and its open content; the caller reads the content to its end or closes it. */
  async open(
    address: ObjectAddress,
    conditions: Preconditions = {},
  ): Promise<{ record: ObjectRecord; content: DataReader }> {
    const record = this.get(address, conditions);
    return { record, content: await this.#persistence.openData(record.dataId) };
  }

  /** Puts the content of a live object at `targetFile`; see ObjectStore. */
  async linkObjectTo(bucket: string, name: string, targetFile: string): Promise<void> {
    await this.#locks.run(bucket, () =>
      this.#persistence.linkDataTo(this.get({ bucket, name }).dataId, targetFile),
    );
  }

  /** Refuses early what `insert` would refuse at the end, before gigabytes are sent. */
  checkInsert(bucket: string, name: string, conditions: Preconditions): BucketRecord {
    const found = this.#buckets.get(bucket);
    checkObjectName(name);
    const predecessor = this.#index.find(found.id, name);
    checkPreconditions(conditions, predecessor, "write");
    if (predecessor) checkRemovable(predecessor, found, this.#now());
    return found;
  }

  /** Makes the candidate the live generation. When this resolves, the object survives a killed process. */
  insert(candidate: ObjectCandidate, conditions: Preconditions): Promise<ObjectRecord> {
    return this.#locks.run(candidate.bucket, async () => {
      const bucket = this.checkInsert(candidate.bucket, candidate.name, conditions);
      if (bucket.id !== candidate.bucketId) throw noSuchBucket();
      const predecessor = this.#index.find(bucket.id, candidate.name);
      const now = this.#now().toISOString();
      const { digest, ...rest } = candidate;
      const record: ObjectRecord = {
        ...rest,
        ...digest,
        fields: withBucketDefaults(candidate.fields, bucket),
        generation: this.#generations.next(),
        metageneration: "1",
        timeCreated: now,
        updated: now,
      };
      await this.#store(record);
      if (predecessor) await this.#retire(bucket, predecessor);
      return record;
    });
  }

  /** Merges `patch` into the metadata; `null` deletes a key. */
  patch(
    address: ObjectAddress,
    patch: JsonObject,
    conditions: Preconditions,
  ): Promise<ObjectRecord> {
    return this.#change(address, conditions, (before) =>
      toObjectMetadata(mergePatch(toWritableResource(before), patch)),
    );
  }

  /** Replaces the metadata by what `body` says. */
  update(
    address: ObjectAddress,
    body: JsonObject,
    conditions: Preconditions,
  ): Promise<ObjectRecord> {
    return this.#change(address, conditions, () => toObjectMetadata(body));
  }

  /** Gives a live object another name; on disk, too, that is one step. */
  rename(
    source: ObjectAddress,
    name: string,
    conditions: { source: Preconditions; target: Preconditions },
  ): Promise<ObjectRecord> {
    return this.#locks.run(source.bucket, async () => {
      const bucket = this.checkInsert(source.bucket, name, conditions.target);
      const record = this.#find(source);
      checkPreconditions(conditions.source, record, "write");
      checkRemovable(record, bucket, this.#now());
      const predecessor = name === record.name ? undefined : this.#index.find(bucket.id, name);
      const now = this.#now().toISOString();
      const generation = this.#generations.next();
      const renamed = { ...record, name, generation, metageneration: "1", timeCreated: now };
      await this.#persistence.writeDocument("objects", record.dataId, { ...renamed, updated: now });
      this.#index.remove(record);
      this.#index.put({ ...renamed, updated: now });
      if (predecessor) await this.#retire(bucket, predecessor);
      return { ...renamed, updated: now };
    });
  }

  /** Deletes the live object (kept as a noncurrent generation in a versioned bucket), or one generation for good. */
  delete(address: ObjectAddress, conditions: Preconditions): Promise<void> {
    return this.#locks.run(address.bucket, async () => {
      const record = this.#find(address);
      checkPreconditions(conditions, record, "write");
      const bucket = this.#buckets.get(address.bucket);
      checkRemovable(record, bucket, this.#now());
      if (address.generation === undefined) await this.#retire(bucket, record);
      else await this.#erase(record);
    });
  }

  #find({ bucket, name, generation }: ObjectAddress): ObjectRecord {
    return this.#index.get(this.#buckets.get(bucket).id, bucket, name, generation);
  }

  #change(
    address: ObjectAddress,
    conditions: Preconditions,
    change: (before: ObjectRecord) => ObjectMetadata,
  ): Promise<ObjectRecord> {
    return this.#locks.run(address.bucket, async () => {
      const before = this.#find(address);
      checkPreconditions(conditions, before, "write");
      const { contentType: _, ...rest } = before;
      const changed = change(before);
      const updated = this.#now().toISOString();
      const isReleased = before.fields.eventBasedHold && !changed.fields.eventBasedHold;
      return this.#store({
        ...rest,
        ...changed,
        fields: { ...changed.fields, ...pick(before.fields, ["storageClass", "kmsKeyName"]) },
        ...(isReleased ? { holdReleasedAt: updated } : {}),
        metageneration: following(before.metageneration),
        updated,
      });
    });
  }

  async #store(record: ObjectRecord): Promise<ObjectRecord> {
    await this.#persistence.writeDocument("objects", record.dataId, record);
    this.#index.put(record);
    return record;
  }

  /** What becomes of a generation that is live no more. */
  async #retire(bucket: BucketRecord, record: ObjectRecord): Promise<void> {
    if (hasVersioning(bucket.settings)) {
      await this.#store({ ...record, timeDeleted: this.#now().toISOString() });
    } else {
      await this.#erase(record);
    }
  }

  async #erase(record: ObjectRecord): Promise<void> {
    await this.#persistence.removeDocument("objects", record.dataId);
    this.#index.remove(record);
    await this.#persistence.removeData(record.dataId);
  }
}

function withBucketDefaults(fields: JsonObject, bucket: BucketRecord): JsonObject {
  const key = stringAt(objectAt(bucket.settings, "encryption"), "defaultKmsKeyName");
  return {
    storageClass: bucket.settings.storageClass ?? "STANDARD",
    ...(bucket.settings.defaultEventBasedHold === true ? { eventBasedHold: true } : {}),
    ...(key === undefined ? {} : { kmsKeyName: `${key}/cryptoKeyVersions/1` }),
    ...fields,
  };
}
