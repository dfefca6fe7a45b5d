import { concatenateDigests, type ContentDigest } from "./content-hash.ts";
import { invalid } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import type { Locks } from "./locks.ts";
import type { Folder } from "./managed-buckets.ts";
import {
  checkObjectSize,
  type ObjectCandidate,
  type ObjectMetadata,
  type ObjectRecord,
  toObjectMetadata,
} from "./object-record.ts";
import type { ObjectAddress, Objects } from "./objects.ts";
import type { Persistence } from "./persistence.ts";
import { checkPreconditions, type Preconditions } from "./preconditions.ts";

/** One source of a compose request. */
export interface ComposeSource {
  readonly name: string;
  readonly generation?: string;
  readonly conditions: Preconditions;
}

/** What a compose request asks for beside its sources. */
export interface ComposeOptions {
  readonly destination: JsonObject;
  readonly conditions: Preconditions;
  readonly deleteSources: boolean;
}

/** Content on disk as part of a whole. */
export type Piece = Pick<ObjectRecord, "dataId" | "size" | "crc32c">;

const MAX_COMPOSE_SOURCES = 32;

/** Objects made of objects, on the server. Content that stays the same is shared, not copied. */
export class Copies {
  readonly #persistence: Persistence;
  readonly #objects: Objects;
  readonly #locks: Locks;

  constructor(persistence: Persistence, objects: Objects, locks: Locks) {
    this.#persistence = persistence;
    this.#objects = objects;
    this.#locks = locks;
  }

  /** Copies an object. `body` replaces the metadata where it says anything at all. */
  async copy(
    source: ObjectAddress,
    target: ObjectAddress,
    body: JsonObject,
    conditions: { source: Preconditions; target: Preconditions },
  ): Promise<ObjectRecord> {
    const record = this.#objects.get(source);
    checkPreconditions(conditions.source, record, "write");
    const bucket = this.#objects.checkInsert(target.bucket, target.name, conditions.target);
    const sent = toObjectMetadata(body);
    const says =
      sent.contentType !== undefined || "metadata" in body || Object.keys(sent.fields).length > 0;

    const dataId = this.#persistence.newId();
    await this.#locks.run(source.bucket, async () => {
      // Asked again: the source may have been deleted or overwritten since.
      const { generation } = record;
      await this.#persistence.linkData(this.#objects.get({ ...source, generation }).dataId, dataId);
    });
    const place = { bucketId: bucket.id, bucket: bucket.name, name: target.name, dataId };
    const candidate = toCopy(record, place, says ? sent : undefined);
    return this.#insertOrDrop(candidate, conditions.target);
  }

  /** Copies the live objects of one folder, as they are now, into another; shares their content. */
  async copyFolder(source: Folder, target: Folder): Promise<void> {
    const { id: bucketId } = this.#objects.bucket(target.bucket);
    const candidates: ObjectCandidate[] = [];
    try {
      await this.#locks.run(source.bucket, async () => {
        for (const record of this.#objects.listObjects(source.bucket, source.prefix)) {
          const name = target.prefix + record.name.slice(source.prefix.length);
          const dataId = this.#persistence.newId();
          await this.#persistence.linkData(record.dataId, dataId);
          candidates.push(toCopy(record, { bucketId, bucket: target.bucket, name, dataId }));
        }
      });
      // One after the other: each is removed from the list once it is an object.
      for (let next = candidates[0]; next !== undefined; next = candidates[0]) {
        await this.#objects.insert(next, {});
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
    { destination, conditions, deleteSources }: ComposeOptions,
  ): Promise<ObjectRecord> {
    const bucket = this.#objects.checkInsert(target.bucket, target.name, conditions);
    if (sources.length === 0 || sources.length > MAX_COMPOSE_SOURCES) {
      throw invalid(
        `A compose request takes 1 to ${MAX_COMPOSE_SOURCES} source objects, not ${sources.length}.`,
      );
    }
    const records = sources.map(({ conditions: wanted, ...source }) => {
      const record = this.#objects.get({ bucket: bucket.name, ...source });
      checkPreconditions(wanted, record, "write");
      return record;
    });
    checkObjectSize(records.reduce((sum, { size }) => sum + size, 0));
    const dataId = this.#persistence.newId();
    const digest = await this.concatenate(records, dataId);
    const componentCount = records.reduce((sum, record) => sum + (record.componentCount ?? 1), 0);
    const composed = await this.#insertOrDrop(
      {
        contentType: records[0]?.contentType,
        ...toObjectMetadata(destination),
        bucketId: bucket.id,
        bucket: bucket.name,
        name: target.name,
        dataId,
        digest,
        componentCount,
      },
      conditions,
    );
    if (deleteSources) await this.#deleteSources(records);
    return composed;
  }

  /** Makes the content of the pieces, one after the other, a new data file. */
  async concatenate(pieces: readonly Piece[], dataId: string): Promise<ContentDigest> {
    await this.#persistence.concatenateData(
      pieces.map((piece) => piece.dataId),
      dataId,
    );
    return concatenateDigests(pieces);
  }

  async #deleteSources(records: readonly ObjectRecord[]): Promise<void> {
    for (const { bucket, name, generation } of records) {
      if (this.#objects.find({ bucket, name })?.generation !== generation) continue;
      await this.#objects.delete({ bucket, name }, { generationMatch: generation });
    }
  }

  async #insertOrDrop(
    candidate: ObjectCandidate,
    conditions: Preconditions,
  ): Promise<ObjectRecord> {
    try {
      return await this.#objects.insert(candidate, conditions);
    } catch (error) {
      await this.#persistence.removeData(candidate.dataId);
      throw error;
    }
  }
}

/** The record's content in another place, with its own description unless another is given. */
function toCopy(
  record: ObjectRecord,
  place: Pick<ObjectCandidate, "bucketId" | "bucket" | "name" | "dataId">,
  description: ObjectMetadata = inheritedDescription(record),
): ObjectCandidate {
  const { size, md5Hash, crc32c, componentCount } = record;
  return {
    ...description,
    ...place,
    digest: { size, md5Hash, crc32c },
    ...(componentCount === undefined ? {} : { componentCount }),
  };
}

/** A copy takes over neither storage class and key, which are the target bucket's, nor holds. */
function inheritedDescription(record: ObjectRecord): ObjectMetadata {
  const { contentType, metadata, fields } = record;
  const {
    kmsKeyName: _k,
    storageClass: _s,
    temporaryHold: _t,
    eventBasedHold: _e,
    ...kept
  } = fields;
  return { ...(contentType === undefined ? {} : { contentType }), metadata, fields: kept };
}
