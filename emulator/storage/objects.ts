import { hasVersioning } from "./bucket-fields.ts";
import type { BucketRecord, Buckets } from "./buckets.ts";
import { ContentHash } from "./content-hash.ts";
import { invalid, noSuchBucket } from "./errors.ts";
import { following, type Generations } from "./generations.ts";
import { type JsonObject, mergePatch, objectAt, stringAt } from "./json.ts";
import { type Listing, listPage, type ListOptions } from "./listing.ts";
import type { Locks } from "./locks.ts";
import type { Folder } from "./managed-buckets.ts";
import { ObjectIndex } from "./object-index.ts";
import {
  checkObjectName,
  type ObjectCandidate,
  type ObjectMetadata,
  type ObjectRecord,
  toObjectMetadata,
  toWritableResource,
} from "./object-record.ts";
import type { DataReader, Persistence } from "./persistence.ts";
import { checkPreconditions, type Preconditions } from "./preconditions.ts";

/** Where an object is: a live one, or one of its generations. */
export interface ObjectAddress {
  readonly bucket: string;
  readonly name: string;
  readonly generation?: string;
}

/** One source of a compose request. */
export interface ComposeSource {
  readonly name: string;
  readonly generation?: string;
  readonly conditions: Preconditions;
}

const MAX_COMPOSE_SOURCES = 32;

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

  get(address: ObjectAddress, conditions: Preconditions = {}): ObjectRecord {
    const record = this.#find(address);
    checkPreconditions(conditions, record, "read");
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

  /** Copies the content of a live object into a file of the caller's. */
  async copyObjectTo(bucket: string, name: string, targetFile: string): Promise<void> {
    await this.#persistence.copyDataTo(this.get({ bucket, name }).dataId, targetFile);
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
    checkPreconditions(conditions, this.#index.find(found.id, name), "write");
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
    return this.#change(address, conditions, (before) => {
      const wanted = toObjectMetadata(body);
      const storageClass = before.fields.storageClass ?? "STANDARD";
      return { ...wanted, fields: { storageClass, ...wanted.fields } };
    });
  }

  /** Deletes the live object (kept as a noncurrent generation in a versioned bucket), or one generation for good. */
  delete(address: ObjectAddress, conditions: Preconditions): Promise<void> {
    return this.#locks.run(address.bucket, async () => {
      const record = this.#find(address);
      checkPreconditions(conditions, record, "write");
      if (address.generation === undefined)
        await this.#retire(this.#buckets.get(address.bucket), record);
      else await this.#erase(record);
    });
  }

  /** Copies an object on the server. `body` replaces the metadata where it says anything at all. */
  async copy(
    source: ObjectAddress,
    target: ObjectAddress,
    body: JsonObject,
    conditions: { source: Preconditions; target: Preconditions },
  ): Promise<ObjectRecord> {
    const record = this.get(source);
    checkPreconditions(conditions.source, record, "write");
    const bucket = this.checkInsert(target.bucket, target.name, conditions.target);
    const sent = toObjectMetadata(body);
    const says =
      sent.contentType !== undefined || "metadata" in body || Object.keys(sent.fields).length > 0;
    const dataId = this.#persistence.newId();
    await this.#locks.run(source.bucket, async () => {
      // Asked again: the source may have been deleted or overwritten since.
      const { generation } = record;
      await this.#persistence.linkData(this.get({ ...source, generation }).dataId, dataId);
    });
    const candidate = toCopy(
      record,
      { bucket, name: target.name, dataId },
      says ? sent : undefined,
    );
    return this.#insertOrDrop(candidate, conditions.target);
  }

  /** Copies the live objects of one folder, as they are now, into another; shares their content. */
  async copyFolder(source: Folder, target: Folder): Promise<void> {
    const bucket = this.#buckets.get(target.bucket);
    const candidates: ObjectCandidate[] = [];
    try {
      await this.#locks.run(source.bucket, async () => {
        for (const record of this.listObjects(source.bucket, source.prefix)) {
          const name = target.prefix + record.name.slice(source.prefix.length);
          const dataId = this.#persistence.newId();
          await this.#persistence.linkData(record.dataId, dataId);
          candidates.push(toCopy(record, { bucket, name, dataId }));
        }
      });
      // One after the other: each is removed from the list once it is an object.
      for (let next = candidates[0]; next !== undefined; next = candidates[0]) {
        await this.insert(next, {});
        candidates.shift();
      }
    } finally {
      for (const { dataId } of candidates) await this.#persistence.removeData(dataId);
    }
  }

  /** Strings up to 32 objects of a bucket together into one. */
  async compose(
    target: ObjectAddress,
    sources: readonly ComposeSource[],
    destination: JsonObject,
    conditions: Preconditions,
  ): Promise<ObjectRecord> {
    const bucket = this.checkInsert(target.bucket, target.name, conditions);
    if (sources.length === 0 || sources.length > MAX_COMPOSE_SOURCES) {
      throw invalid(
        `A compose request takes 1 to ${MAX_COMPOSE_SOURCES} source objects, not ${sources.length}.`,
      );
    }
    const records = sources.map(({ conditions: wanted, ...source }) => {
      const record = this.get({ bucket: bucket.name, ...source });
      checkPreconditions(wanted, record, "write");
      return record;
    });
    const dataId = this.#persistence.newId();
    const digest = await this.concatenate(
      records.map((record) => record.dataId),
      dataId,
    );
    const described = toObjectMetadata(destination);
    const componentCount = records.reduce((sum, record) => sum + (record.componentCount ?? 1), 0);
    const candidate: ObjectCandidate = {
      contentType: records[0]?.contentType,
      ...described,
      bucketId: bucket.id,
      bucket: bucket.name,
      name: target.name,
      dataId,
      digest,
      componentCount,
    };
    return this.#insertOrDrop(candidate, conditions);
  }

  /** Writes the given data files one after the other into a new one, chunk by chunk. */
  async concatenate(
    parts: readonly string[],
    dataId: string,
  ): Promise<ReturnType<ContentHash["digest"]>> {
    const hash = new ContentHash();
    const target = await this.#persistence.createData(dataId);
    try {
      for (const part of parts) {
        const content = await this.#persistence.openData(part);
        for await (const chunk of content.stream(0, await this.#persistence.dataSize(part))) {
          const written = target.write(chunk as Buffer);
          hash.update(chunk as Buffer);
          await written;
        }
      }
    } finally {
      await target.close();
    }
    return hash.digest();
  }

  async #insertOrDrop(
    candidate: ObjectCandidate,
    conditions: Preconditions,
  ): Promise<ObjectRecord> {
    try {
      return await this.insert(candidate, conditions);
    } catch (error) {
      await this.#persistence.removeData(candidate.dataId);
      throw error;
    }
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
      return this.#store({
        ...rest,
        ...change(before),
        metageneration: following(before.metageneration),
        updated: this.#now().toISOString(),
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

/** The record's content under another name, with its own description unless another is given. */
function toCopy(
  record: ObjectRecord,
  target: { bucket: BucketRecord; name: string; dataId: string },
  description: ObjectMetadata = inheritedDescription(record),
): ObjectCandidate {
  const { bucket, name, dataId } = target;
  return {
    ...description,
    bucketId: bucket.id,
    bucket: bucket.name,
    name,
    dataId,
    digest: { size: record.size, md5Hash: record.md5Hash, crc32c: record.crc32c },
    ...(record.componentCount === undefined ? {} : { componentCount: record.componentCount }),
  };
}

function inheritedDescription(record: ObjectRecord): ObjectMetadata {
  const { kmsKeyName: _, storageClass: __, ...fields } = record.fields;
  return {
    ...(record.contentType === undefined ? {} : { contentType: record.contentType }),
    metadata: record.metadata,
    fields,
  };
}

function withBucketDefaults(fields: JsonObject, bucket: BucketRecord): JsonObject {
  const key = stringAt(objectAt(bucket.settings, "encryption"), "defaultKmsKeyName");
  return {
    storageClass: bucket.settings.storageClass ?? "STANDARD",
    ...(key === undefined ? {} : { kmsKeyName: `${key}/cryptoKeyVersions/1` }),
    ...fields,
  };
}
