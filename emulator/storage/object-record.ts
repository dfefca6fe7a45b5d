import type { ContentDigest } from "./content-hash.ts";
import { invalid, StorageError } from "./errors.ts";
import { STORAGE_CLASSES } from "./bucket-fields.ts";
import { isJsonObject, type JsonObject, pick, withoutEmpty } from "./json.ts";

/** One generation of an object as it is kept. */
export interface ObjectRecord {
  readonly bucket: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly generation: string;
  readonly metageneration: string;
  /** Base64 of the MD5; absent for a composed object. */
  readonly md5Hash?: string;
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
  /** When its event-based hold was taken away: its time in the bucket counts from then. */
  readonly holdReleasedAt?: string;
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
  "storageClass",
  "temporaryHold",
];
/** 5 TiB. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 4;
const MAX_NAME_BYTES = 1024;
/** All keys and values of an object's custom metadata together, bytes. */
const MAX_METADATA_BYTES = 8 * 1024;

/** Refuses content that is larger than an object can be (413); `size` in bytes. */
export function checkObjectSize(size: number): void {
  if (size <= MAX_OBJECT_BYTES) return;
  throw new StorageError(
    "INVALID_ARGUMENT",
    413,
    "uploadTooLarge",
    `The content has ${size} bytes. An object can have at most ${MAX_OBJECT_BYTES}.`,
  );
}

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
  const metadataBytes = Buffer.byteLength(Object.entries(metadata).flat().join(""));
  if (metadataBytes > MAX_METADATA_BYTES) {
    throw invalid(
      `The custom metadata has ${metadataBytes} bytes. Send at most ${MAX_METADATA_BYTES}.`,
    );
  }
  const fields = withoutEmpty(pick(resource, FIELDS));
  const storageClass = fields.storageClass ?? "STANDARD";
  if (typeof storageClass !== "string" || !STORAGE_CLASSES.includes(storageClass)) {
    throw invalid(`Invalid storage class ${JSON.stringify(storageClass)}.`);
  }
  if (resource.retention !== undefined && resource.retention !== null) {
    throw invalid("Object Retention is not enabled for this bucket. Leave out retention.");
  }
  return {
    ...(typeof resource.contentType === "string" ? { contentType: resource.contentType } : {}),
    metadata,
    fields,
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
