import { projectNumberOf } from "../projects.ts";
import { locationTypeOf } from "./bucket-fields.ts";
import type { BucketRecord } from "./buckets.ts";
import { toEtag } from "./generations.ts";
import type { JsonObject } from "./json.ts";
import type { ObjectRecord } from "./object-record.ts";

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

export function toObjectResource(record: ObjectRecord, origin: string): JsonObject {
  const { bucket, name, generation, metageneration } = record;
  const path = `b/${bucket}/o/${encodeURIComponent(name)}`;
  return {
    kind: "storage#object",
    id: `${bucket}/${name}/${generation}`,
    selfLink: `${origin}/storage/v1/${path}`,
    mediaLink: `${origin}/download/storage/v1/${path}?generation=${generation}&alt=media`,
    name,
    bucket,
    generation,
    metageneration,
    ...(record.contentType === undefined ? {} : { contentType: record.contentType }),
    ...record.fields,
    size: String(record.size),
    // Composed objects have no MD5 on Google's side either.
    ...(record.componentCount === undefined
      ? { md5Hash: record.md5Hash }
      : { componentCount: record.componentCount }),
    crc32c: record.crc32c,
    etag: toEtag(generation, metageneration),
    timeCreated: record.timeCreated,
    updated: record.updated,
    timeStorageClassUpdated: record.timeCreated,
    timeFinalized: record.timeCreated,
    ...(record.timeDeleted === undefined ? {} : { timeDeleted: record.timeDeleted }),
    ...(Object.keys(record.metadata).length === 0 ? {} : { metadata: { ...record.metadata } }),
  };
}
