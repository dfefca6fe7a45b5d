import { projectNumberOf } from "../projects.ts";
import { locationTypeOf } from "./bucket-fields.ts";
import type { BucketRecord } from "./buckets.ts";
import { toEtag } from "./generations.ts";
import type { JsonObject } from "./json.ts";
import type { ObjectRecord } from "./object-record.ts";
import { retentionExpirationOf } from "./retention.ts";

/** `origin`: scheme, host and port the client reached us by; links lead back there. */
export function toBucketResource(bucket: BucketRecord, origin: string): JsonObject {
  return {
    kind: "storage#bucket",
    selfLink: `${origin}/storage/v1/b/${bucket.name}`,
    id: bucket.name,
    name: bucket.name,
    projectNumber: projectNumberOf(bucket.project),
    generation: bucket.generation,
    metageneration: bucket.metageneration,
    etag: toEtag(bucket.metageneration),
    timeCreated: bucket.timeCreated,
    updated: bucket.updated,
    locationType: locationTypeOf(bucket.settings),
    ...bucket.settings,
  };
}

export function toPolicyResource(bucket: BucketRecord): JsonObject {
  return {
    kind: "storage#policy",
    resourceId: `projects/_/buckets/${bucket.name}`,
    version: bucket.policy.version,
    etag: toEtag(bucket.policy.revision),
    bindings: bucket.policy.bindings,
  };
}

export function toObjectResource(
  record: ObjectRecord,
  bucket: BucketRecord,
  origin: string,
): JsonObject {
  const retained = retentionExpirationOf(record, bucket);
  const { name, generation, metageneration } = record;
  const path = `b/${record.bucket}/o/${encodeURIComponent(name)}`;
  return {
    kind: "storage#object",
    id: `${record.bucket}/${name}/${generation}`,
    selfLink: `${origin}/storage/v1/${path}`,
    mediaLink: `${origin}/download/storage/v1/${path}?generation=${generation}&alt=media`,
    name,
    bucket: record.bucket,
    generation,
    metageneration,
    ...(record.contentType === undefined ? {} : { contentType: record.contentType }),
    ...record.fields,
    size: String(record.size),
    ...(record.componentCount === undefined ? {} : { componentCount: record.componentCount }),
    ...(record.md5Hash === undefined ? {} : { md5Hash: record.md5Hash }),
    crc32c: record.crc32c,
    etag: toEtag(generation, metageneration),
    timeCreated: record.timeCreated,
    updated: record.updated,
    timeStorageClassUpdated: record.timeCreated,
    timeFinalized: record.timeCreated,
    ...(retained === undefined ? {} : { retentionExpirationTime: retained.toISOString() }),
    ...(record.timeDeleted === undefined ? {} : { timeDeleted: record.timeDeleted }),
    ...(Object.keys(record.metadata).length === 0 ? {} : { metadata: { ...record.metadata } }),
  };
}
