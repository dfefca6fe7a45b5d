import { invalid } from "./errors.ts";
import { isJsonObject, type JsonObject, objectAt, omit, stringAt, withoutEmpty } from "./json.ts";

/** Fields of a bucket that only the service sets; what a client sends there is ignored. */
const OUTPUT_ONLY = [
  "kind",
  "id",
  "selfLink",
  "projectNumber",
  "metageneration",
  "generation",
  "timeCreated",
  "updated",
  "etag",
  "locationType",
  "owner",
  "satisfiesPZS",
  "satisfiesPZI",
  // Object-level access lists are not kept: see the fidelity table.
  "acl",
  "defaultObjectAcl",
];
/** Set when a bucket is made and kept for its life. */
const IMMUTABLE = ["name", "location", "customPlacementConfig", "hierarchicalNamespace"];

const MULTI_REGIONS = ["US", "EU", "ASIA"];
const DUAL_REGIONS = ["ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"];
const REGION = /^[A-Z]+-[A-Z]+\d+$/;
export const STORAGE_CLASSES: readonly string[] = [
  "STANDARD",
  "NEARLINE",
  "COLDLINE",
  "ARCHIVE",
  "MULTI_REGIONAL",
  "REGIONAL",
  "DURABLE_REDUCED_AVAILABILITY",
];
const DEFAULT_SOFT_DELETE_SECONDS = "604800";
const UNIFORM_ACCESS_LOCK_DAYS = 90;
/** 100 years. */
const MAX_RETENTION_SECONDS = 3_155_760_000;
const MAX_LABELS = 64;

/** Refuses what Cloud Storage refuses as a bucket name (400). */
export function checkBucketName(name: string): void {
  const components = name.split(".");
  const longest = name.includes(".") ? 222 : 63;
  const wellFormed =
    name.length >= 3 &&
    name.length <= longest &&
    /^[a-z0-9][a-z0-9._-]*[a-z0-9]$/.test(name) &&
    components.every((part) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(part)) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name);
  if (!wellFormed) {
    throw invalid(
      `Invalid bucket name: "${name}". Use 3 to 63 lower-case letters, digits, "-", "_" or ".", beginning and ending with a letter or digit.`,
    );
  }
  if (name.startsWith("goog") || /g[o0]{2}g[l1]e/.test(name)) {
    throw invalid(
      `Invalid bucket name: "${name}". It can't begin with "goog" or contain "google" or a close misspelling.`,
    );
  }
}

/** Whether a path segment could be the name of a bucket at all. */
export function isBucketName(name: string): boolean {
  try {
    checkBucketName(name);
    return true;
  } catch {
    return false;
  }
}

/** The settings that a new bucket keeps: all that was sent, with Google's defaults where nothing was. */
export function newBucketSettings(body: JsonObject, now: Date): JsonObject {
  const sent = omit(body, OUTPUT_ONLY);
  const location = (stringAt(sent, "location") ?? "US").toUpperCase();
  if (![...MULTI_REGIONS, ...DUAL_REGIONS].includes(location) && !REGION.test(location)) {
    throw invalid(`The specified location constraint is not valid: "${location}".`);
  }
  const settings = {
    ...sent,
    location,
  };
  return settle(settings, {}, now);
}

/** The settings after a change: `wanted` is the whole merged document, `before` what it was. */
export function changedBucketSettings(
  wanted: JsonObject,
  before: JsonObject,
  now: Date,
): JsonObject {
  const kept = Object.fromEntries(
    Object.entries(before).filter(([key]) => IMMUTABLE.includes(key)),
  );
  return settle({ ...omit(wanted, [...OUTPUT_ONLY, ...IMMUTABLE]), ...kept }, before, now);
}

/** "region", "dual-region" or "multi-region". */
export function locationTypeOf(settings: JsonObject): string {
  const location = stringAt(settings, "location") ?? "US";
  if (isJsonObject(settings.customPlacementConfig) || DUAL_REGIONS.includes(location)) {
    return "dual-region";
  }
  return MULTI_REGIONS.includes(location) ? "multi-region" : "region";
}

export function hasUniformAccess(settings: JsonObject): boolean {
  const iam = objectAt(settings, "iamConfiguration");
  return objectAt(iam, "uniformBucketLevelAccess").enabled === true;
}

export function hasVersioning(settings: JsonObject): boolean {
  return objectAt(settings, "versioning").enabled === true;
}

/** Brings the parts that the service computes in line with the rest, and drops what is empty. */
function settle(wanted: JsonObject, before: JsonObject, now: Date): JsonObject {
  checkLabels(objectAt(wanted, "labels"));
  const storageClass = (stringAt(wanted, "storageClass") ?? "STANDARD").toUpperCase();
  if (!STORAGE_CLASSES.includes(storageClass)) {
    throw invalid(
      `Invalid storage class "${storageClass}". Use ${STORAGE_CLASSES.slice(0, 4).join(", ")}.`,
    );
  }
  return withoutEmpty({
    ...wanted,
    storageClass,
    rpo: stringAt(wanted, "rpo") ?? "DEFAULT",
    iamConfiguration: settleIamConfiguration(wanted, before, now),
    softDeletePolicy: settleSoftDelete(wanted, before, now),
    retentionPolicy: settleRetention(wanted, before, now),
  });
}

function settleIamConfiguration(wanted: JsonObject, before: JsonObject, now: Date): JsonObject {
  const iam = objectAt(wanted, "iamConfiguration");
  const had = objectAt(objectAt(before, "iamConfiguration"), "uniformBucketLevelAccess");
  const uniform = objectAt(iam, "uniformBucketLevelAccess");
  const policyOnly = objectAt(iam, "bucketPolicyOnly");
  // bucketPolicyOnly is the older name of the same switch: the one that was changed counts.
  const enabled =
    typeof uniform.enabled === "boolean" &&
    (uniform.enabled !== had.enabled || had.enabled === undefined)
      ? uniform.enabled
      : (policyOnly.enabled ?? uniform.enabled) === true;
  const lockedTime =
    had.enabled === true && typeof had.lockedTime === "string"
      ? had.lockedTime
      : new Date(now.getTime() + UNIFORM_ACCESS_LOCK_DAYS * 86_400_000).toISOString();
  const access: JsonObject = enabled ? { enabled, lockedTime } : { enabled: false };
  return {
    ...iam,
    bucketPolicyOnly: access,
    uniformBucketLevelAccess: access,
    publicAccessPrevention: stringAt(iam, "publicAccessPrevention") ?? "inherited",
  };
}

function settleSoftDelete(wanted: JsonObject, before: JsonObject, now: Date): JsonObject {
  const policy = objectAt(wanted, "softDeletePolicy");
  const had = objectAt(before, "softDeletePolicy");
  const seconds = String(
    policy.retentionDurationSeconds ?? had.retentionDurationSeconds ?? DEFAULT_SOFT_DELETE_SECONDS,
  );
  if (!/^\d+$/.test(seconds)) {
    throw invalid(
      `Invalid softDeletePolicy.retentionDurationSeconds "${seconds}". Send whole seconds.`,
    );
  }
  const effectiveTime =
    had.retentionDurationSeconds === seconds && had.effectiveTime
      ? had.effectiveTime
      : now.toISOString();
  return { retentionDurationSeconds: seconds, effectiveTime };
}

function settleRetention(wanted: JsonObject, before: JsonObject, now: Date): JsonObject {
  const { retentionPeriod } = objectAt(wanted, "retentionPolicy");
  if (retentionPeriod === undefined || retentionPeriod === null) return {};
  const seconds = String(retentionPeriod);
  if (!/^\d+$/.test(seconds) || Number(seconds) === 0 || Number(seconds) > MAX_RETENTION_SECONDS) {
    throw invalid(
      `Invalid retentionPolicy.retentionPeriod "${seconds}". Send 1 to ${MAX_RETENTION_SECONDS} seconds.`,
    );
  }
  const had = objectAt(before, "retentionPolicy");
  const effectiveTime =
    had.retentionPeriod === seconds && had.effectiveTime ? had.effectiveTime : now.toISOString();
  return { retentionPeriod: seconds, effectiveTime };
}

function checkLabels(labels: JsonObject): void {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) {
    throw invalid(`A bucket can bear ${MAX_LABELS} labels, not ${entries.length}.`);
  }
  for (const [key, value] of entries) {
    const wellFormed =
      /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key) &&
      typeof value === "string" &&
      /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value);
    if (!wellFormed) {
      throw invalid(
        `Invalid label "${key}": "${String(value)}". Keys and values are at most 63 lower-case letters, digits, "_" or "-"; keys begin with a letter.`,
      );
    }
  }
}
