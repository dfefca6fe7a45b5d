import type { BucketRecord } from "./buckets.ts";
import { StorageError } from "./errors.ts";
import { objectAt, stringAt } from "./json.ts";
import type { ObjectRecord } from "./object-record.ts";

/** Throws 403 where a hold or the bucket's retention policy forbids that the object is deleted or overwritten. */
export function checkRemovable(record: ObjectRecord, bucket: BucketRecord, now: Date): void {
  const { temporaryHold, eventBasedHold } = record.fields;
  if (temporaryHold === true || eventBasedHold === true) {
    const kind = temporaryHold === true ? "Temporary" : "Event-Based";
    throw new StorageError(
      "PERMISSION_DENIED",
      403,
      "forbidden",
      `Object "${record.bucket}/${record.name}" is under active ${kind} hold and cannot be deleted, overwritten or archived until hold is removed.`,
    );
  }
  const expiration = retentionExpirationOf(record, bucket);
  if (expiration !== undefined && now < expiration) {
    throw new StorageError(
      "PERMISSION_DENIED",
      403,
      "retentionPolicyNotMet",
      `Object "${record.bucket}/${record.name}" is subject to bucket's retention policy and cannot be deleted, overwritten or archived until ${expiration.toISOString()}.`,
    );
  }
}

/** Until when the bucket's retention policy keeps the object; undefined: without end (under an event-based hold) or not at all. */
export function retentionExpirationOf(
  record: ObjectRecord,
  bucket: BucketRecord,
): Date | undefined {
  const period = stringAt(objectAt(bucket.settings, "retentionPolicy"), "retentionPeriod");
  if (period === undefined || record.fields.eventBasedHold === true) return undefined;
  const since = Date.parse(record.holdReleasedAt ?? record.timeCreated);
  return new Date(since + Number(period) * 1000);
}
