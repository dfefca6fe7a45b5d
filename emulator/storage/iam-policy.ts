import { hasUniformAccess } from "./bucket-fields.ts";
import { invalid, StorageError } from "./errors.ts";
import { isJsonObject, type Json, type JsonObject, objectAt } from "./json.ts";

const ROLE = /^(roles\/[\w.]+|(projects|organizations)\/[^/]+\/roles\/[\w.]+)$/;
const MEMBER =
  /^(allUsers|allAuthenticatedUsers|(deleted:)?(user|serviceAccount|group|domain|principal|principalSet|project(Owner|Editor|Viewer)):.+)$/;
const PUBLIC = ["allUsers", "allAuthenticatedUsers"];

/** The bindings that a new bucket has. */
export function defaultBindings(project: string, settings: JsonObject): Json {
  const owners = [`projectEditor:${project}`, `projectOwner:${project}`];
  const viewers = [`projectViewer:${project}`];
  const bucketRoles = [
    { role: "roles/storage.legacyBucketOwner", members: owners },
    { role: "roles/storage.legacyBucketReader", members: viewers },
  ];
  if (!hasUniformAccess(settings)) return bucketRoles;
  return [
    ...bucketRoles,
    { role: "roles/storage.legacyObjectOwner", members: owners },
    { role: "roles/storage.legacyObjectReader", members: viewers },
  ];
}

/** Refuses a policy that Cloud Storage refuses: 400 for its form, 412 for public members where they are prevented. */
export function checkPolicy(policy: JsonObject, bucketSettings: JsonObject): void {
  const { bindings = [], version = 1 } = policy;
  if (version !== 1 && version !== 3 && version !== 0) {
    throw invalid(
      `Invalid policy version ${JSON.stringify(version)}. Use 1, or 3 with conditions.`,
    );
  }
  if (!Array.isArray(bindings)) throw invalid("Invalid policy: bindings must be a list.");
  for (const binding of bindings) {
    const { role, members, condition } = isJsonObject(binding) ? binding : {};
    if (typeof role !== "string" || !ROLE.test(role)) {
      throw invalid(`Role ${JSON.stringify(role ?? "")} is not supported for this resource.`);
    }
    if (!Array.isArray(members)) throw invalid(`The binding of "${role}" has no list of members.`);
    for (const member of members) checkMember(member, bucketSettings);
    if (condition !== undefined && condition !== null) checkCondition(version, bucketSettings);
  }
}

function checkMember(member: Json, bucketSettings: JsonObject): void {
  if (typeof member !== "string" || !MEMBER.test(member)) {
    throw invalid(`Member ${JSON.stringify(member)} is not of the form "user:NAME".`);
  }
  const { publicAccessPrevention } = objectAt(bucketSettings, "iamConfiguration");
  if (PUBLIC.includes(member) && publicAccessPrevention === "enforced") {
    throw new StorageError(
      "FAILED_PRECONDITION",
      412,
      "conditionNotMet",
      `The member bindings ${member} are not allowed since public access prevention is enforced.`,
    );
  }
}

function checkCondition(version: Json, bucketSettings: JsonObject): void {
  if (version !== 3) {
    throw invalid("Conditional bindings need policy version 3. Send version: 3.");
  }
  if (!hasUniformAccess(bucketSettings)) {
    throw invalid("Conditional bindings need uniform bucket-level access. Enable it first.");
  }
}
