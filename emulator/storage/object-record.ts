import type { ContentDigest } from "./content-hash.ts";
import { invalid } from "./errors.ts";
import { isJsonObject, type JsonObject, pick } from "./json.ts";

/** One generation of an object as it is kept. */
export interface ObjectRecord {
  readonly bucket: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly generation: string;
  readonly metageneration: string;
  /** Base64 of the MD5. Kept for composed objects too, though Google's API does not show it for those. */
  readonly md5Hash: string;
  /** Base64 of the CRC32C, big-endian. */
  readonly crc32c: string;
  /** The custom metadata that the client gave. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** RFC 3339. */
  readonly timeCreated: string;
  readonly updated: string;
  /** When it stopped being the live generation; absent while it is. */
  readonly timeDeleted?: string;
  /** How many parts it was composed of; absent for an object uploaded whole. */
  readonly componentCount?: number;
  /** The other writable fields: cacheControl, contentEncoding, customTime, storageClass ... */
  readonly fields: JsonObject;
  /** Ours: the bucket's id and the data file, which is also the id of the document. */
  readonly bucketId: string;
  readonly dataId: string;
}

/** What a client says of an object when it uploads, copies or changes it. */
export interface ObjectMetadata {
  readonly contentType?: string;
  readonly metadata: Record<string, string>;
  readonly fields: JsonObject;
}

/** Content on disk that waits to become an object. */
export interface ObjectCandidate extends ObjectMetadata {
  readonly bucketId: string;
  readonly bucket: string;
  readonly name: string;
  readonly dataId: string;
  readonly digest: ContentDigest;
  readonly componentCount?: number;
}

const FIELDS = [
  "cacheControl",
  "contentDisposition",
  "contentEncoding",
  "contentLanguage",
  "contexts",
  "customTime",
  "eventBasedHold",
  "kmsKeyName",
  "retention",
  "storageClass",
  "temporaryHold",
];
const MAX_NAME_BYTES = 1024;

/** Refuses what Cloud Storage refuses as an object name (400). */
export function checkObjectName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > MAX_NAME_BYTES) {
    throw invalid(
      `Invalid object name of ${bytes} bytes. Use 1 to ${MAX_NAME_BYTES} bytes of UTF-8.`,
    );
  }
  if (/[\r\n\0]/.test(name) || name === "." || name === "..") {
    throw invalid(`Invalid object name ${JSON.stringify(name)}. Use no line ends, ".", or "..".`);
  }
  if (name.startsWith(".well-known/acme-challenge/")) {
    throw invalid(`Invalid object name "${name}". ".well-known/acme-challenge/" is reserved.`);
  }
}

/** Picks what is writable out of an object resource; the rest is ignored, as Google does. */
export function toObjectMetadata(resource: JsonObject): ObjectMetadata {
  const metadata: Record<string, string> = {};
  if (isJsonObject(resource.metadata)) {
    for (const [key, value] of Object.entries(resource.metadata)) {
      if (value === null) continue;
      if (typeof value !== "string") {
        throw invalid(`Invalid value of metadata key "${key}". Send a string.`);
      }
      metadata[key] = value;
    }
  }
  return {
    ...(typeof resource.contentType === "string" ? { contentType: resource.contentType } : {}),
    metadata,
    fields: pick(resource, FIELDS),
  };
}

/** The writable part of a record in the form of an object resource: what a PATCH is merged into. */
export function toWritableResource(record: ObjectMetadata): JsonObject {
  return {
    ...record.fields,
    ...(record.contentType === undefined ? {} : { contentType: record.contentType }),
    metadata: { ...record.metadata },
  };
}
