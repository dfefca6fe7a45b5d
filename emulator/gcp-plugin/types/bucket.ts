import { GoogleError, undefinedIfNotFound } from "../google-rest.ts";
import type { GoogleRest } from "../google-rest.ts";
import type { Labels, Properties, ResourceType } from "../resource-type.ts";
import { isEmpty, isRecord } from "../resource-type.ts";
import { LIFECYCLE_RULES } from "./bucket-lifecycle.ts";

type Document = Record<string, unknown>;

const DELETES_AT_ONCE = 8;

/** gcp.storage.Bucket; what can't be changed in place is as in the official provider's resource_storage_bucket.go. */
export const BUCKET: ResourceType = {
  token: "gcp:storage/bucket:Bucket",
  noun: "bucket",
  inputs: {
    name: { required: true, forceNew: true },
    location: { required: true, forceNew: true, comparable: (text) => String(text).toUpperCase() },
    project: { forceNew: true, computed: true },
    labels: {},
    forceDestroy: { default: false },
    deletionPolicy: { computed: true },
    storageClass: { default: "STANDARD" },
    uniformBucketLevelAccess: { computed: true },
    publicAccessPrevention: { computed: true },
    softDeletePolicy: { computed: true, comparable: withoutEffectiveTime },
    versioning: { computed: true },
    encryption: { comparable: keyOnly },
    lifecycleRules: { comparable: LIFECYCLE_RULES.comparable },
    requesterPays: {},
    defaultEventBasedHold: {},
  },
  outputsOnly: ["projectNumber", "rpo", "selfLink", "timeCreated", "updated", "url", "website"],

  check: (inputs) => LIFECYCLE_RULES.check(inputs.lifecycleRules),
  id: (inputs) => String(inputs.name),
  fromId(id, project) {
    const [name, ownProject] = id.split("/").reverse();
    return { name, project: ownProject ?? project, forceDestroy: false };
  },

  async create(rest, inputs, labels) {
    const body = {
      name: inputs.name,
      location: inputs.location,
      ...toFields(inputs),
      ...(!isEmpty(labels) && { labels }),
    };
    return await rest.request(
      "storage",
      "POST",
      `b?project=${encodeURIComponent(String(inputs.project))}`,
      body,
    );
  },

  async get(rest, inputs) {
    return await rest.request("storage", "GET", bucketPath(inputs));
  },

  toOutputs(document) {
    const iam = isRecord(document.iamConfiguration) ? document.iamConfiguration : {};
    const uniform = isRecord(iam.uniformBucketLevelAccess) ? iam.uniformBucketLevelAccess : {};
    const { name, location, storageClass, selfLink, timeCreated, updated } = document;
    return {
      name,
      location,
      storageClass,
      selfLink,
      timeCreated,
      updated,
      url: `gs://${String(name)}`,
      projectNumber: Number(document.projectNumber ?? 0),
      rpo: document.rpo ?? "",
      uniformBucketLevelAccess: uniform.enabled === true,
      publicAccessPrevention: iam.publicAccessPrevention ?? "inherited",
      hierarchicalNamespace: { enabled: false },
      ...(isRecord(document.softDeletePolicy) && {
        softDeletePolicy: toSoftDeletePolicy(document.softDeletePolicy),
      }),
      ...(isRecord(document.versioning) && {
        versioning: { enabled: document.versioning.enabled === true },
      }),
      ...(isRecord(document.encryption) && { encryption: keyOnly(document.encryption) }),
      ...(isRecord(document.lifecycle) && {
        lifecycleRules: LIFECYCLE_RULES.toOutput(document.lifecycle),
      }),
      ...(isRecord(document.billing) && { requesterPays: document.billing.requesterPays === true }),
      ...(document.defaultEventBasedHold !== undefined && {
        defaultEventBasedHold: document.defaultEventBasedHold,
      }),
    };
  },

  async update(rest, inputs, changed, labels) {
    const body: Document = {};
    for (const name of changed) Object.assign(body, toPatch(name, inputs));
    if (changed.has("labels")) body.labels = toLabelsPatch(labels.before, labels.after);
    // A changed forceDestroy or deletionPolicy is only recorded.
    if (isEmpty(body)) return await rest.request("storage", "GET", bucketPath(inputs));
    return await rest.request("storage", "PATCH", bucketPath(inputs), body);
  },

  async delete(rest, recorded) {
    if (recorded.forceDestroy === true) await deleteObjects(rest, recorded);
    try {
      await rest.request("storage", "DELETE", bucketPath(recorded)).catch(undefinedIfNotFound);
    } catch (error) {
      if (!(error instanceof GoogleError) || error.status !== 409) throw error;
      throw new Error(
        "it is not empty. Set forceDestroy to true and run up, or remove its objects first.",
        {
          cause: error,
        },
      );
    }
  },
};

/** Fields of Google's bucket document for the inputs that are set. */
function toFields(inputs: Properties): Document {
  const names = Object.keys(BUCKET.inputs).filter((name) => inputs[name] !== undefined);
  return Object.assign({}, ...names.map((name) => toPatch(name, inputs))) as Document;
}

/** Fields that write one input; null removes one that is left out. */
function toPatch(name: string, inputs: Properties): Document {
  const value = inputs[name];
  switch (name) {
    case "storageClass":
    case "softDeletePolicy":
    case "versioning":
      return { [name]: value };
    case "uniformBucketLevelAccess":
    case "publicAccessPrevention":
      // Both at once, as the official provider does: the two are one field of the document.
      return { iamConfiguration: toIamConfiguration(inputs) };
    case "encryption":
      return { encryption: isEmpty(value) ? null : keyOnly(value) };
    case "lifecycleRules":
      return { lifecycle: LIFECYCLE_RULES.toField(value) };
    case "requesterPays":
      return { billing: { requesterPays: value === true } };
    case "defaultEventBasedHold":
      return { defaultEventBasedHold: value === true };
    default:
      return {};
  }
}

function toIamConfiguration(inputs: Properties): Document {
  const { uniformBucketLevelAccess, publicAccessPrevention } = inputs;
  return {
    ...(uniformBucketLevelAccess !== undefined && {
      uniformBucketLevelAccess: { enabled: uniformBucketLevelAccess },
    }),
    ...(publicAccessPrevention !== undefined && { publicAccessPrevention }),
  };
}

/** A patch merges labels: one to remove is null. */
function toLabelsPatch(before: Labels, after: Labels): Record<string, string | null> {
  const removed = Object.keys(before).filter((key) => !(key in after));
  return { ...Object.fromEntries(removed.map((key) => [key, null])), ...after };
}

/** Deletes every version of every object, page by page, until a listing is empty. */
async function deleteObjects(rest: GoogleRest, recorded: Properties): Promise<void> {
  const objects = `${bucketPath(recorded)}/o`;
  for (;;) {
    const page = await rest
      .request("storage", "GET", `${objects}?versions=true`)
      .catch(undefinedIfNotFound);
    const items = Array.isArray(page?.items) ? page.items.filter(isRecord) : [];
    if (items.length === 0) return;
    for (let first = 0; first < items.length; first += DELETES_AT_ONCE) {
      const paths = items
        .slice(first, first + DELETES_AT_ONCE)
        .map(
          ({ name, generation }) =>
            `${objects}/${encodeURIComponent(String(name))}?generation=${String(generation)}`,
        );
      await Promise.all(
        paths.map((path) => rest.request("storage", "DELETE", path).catch(undefinedIfNotFound)),
      );
    }
  }
}

function bucketPath(properties: Properties): string {
  return `b/${encodeURIComponent(String(properties.name))}`;
}

function toSoftDeletePolicy(field: Document): Document {
  return {
    retentionDurationSeconds: Number(field.retentionDurationSeconds ?? 0),
    effectiveTime: field.effectiveTime ?? "",
  };
}

function withoutEffectiveTime(value: unknown): unknown {
  return isRecord(value) ? { retentionDurationSeconds: value.retentionDurationSeconds } : value;
}

function keyOnly(value: unknown): unknown {
  return isRecord(value) ? { defaultKmsKeyName: value.defaultKmsKeyName } : value;
}
