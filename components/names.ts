import { createHash } from "node:crypto";

/** Google's bucket rule that a derived or given name must pass (Cloud Storage, bucket naming). */
const BUCKET_NAME = /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/;

/** Why Google would refuse this bucket name; undefined when it would not. */
export function bucketNameProblem(name: string): string | undefined {
  if (!BUCKET_NAME.test(name)) {
    return `"${name}" is not a bucket name: 3 to 63 of [a-z0-9._-], first and last a letter or digit.`;
  }
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name))
    return `"${name}" is a bucket name in the form of an IP address.`;
  if (name.includes("..")) return `"${name}" has two dots in a row, which no bucket name may.`;
  if (name.startsWith("goog") || name.includes("google")) {
    return `"${name}" contains "goog" at its start or "google", which Google keeps for itself.`;
  }
  return undefined;
}

/** Default bucket: bucket names are global, so the project's id is part of it. */
export function defaultBucketName(project: string, stack: string): string {
  return `${project.replace(/[^a-z0-9-]/g, "-")}-diffusion-${slug(stack)}`;
}

/** Id of the stack's registry model: up to 63 of [a-z0-9_-], first no digit or hyphen. */
export function modelIdOf(stack: string): string {
  return `diffusion-${slug(stack)}`.slice(0, 63);
}

/**
 * Id of the stack's endpoint: at most 9 digits without a leading zero, which is what both the API (9) and Google's own
 * provider (numeric only) accept. Made from project and stack, so that it is known before the endpoint exists.
 */
export function endpointIdOf(project: string, stack: string): string {
  const hash = createHash("sha256").update(`${project}/${stack}`).digest().readUInt32BE(0);
  return String(100_000_000 + (hash % 900_000_000));
}

/** What the names of a stack's model and endpoint are made from. */
interface NamingSettings {
  readonly project: string;
  readonly region: string;
  readonly stack: string;
  readonly adopt: { readonly endpoint: string; readonly model: string } | null;
}

/** Ids of a stack's model and endpoint: those of what it adopted, else its own. */
export function servingIdsOf({ project, stack, adopt }: NamingSettings): {
  readonly modelId: string;
  readonly endpointId: string;
} {
  return {
    modelId: adopt?.model ?? modelIdOf(stack),
    endpointId: adopt?.endpoint ?? endpointIdOf(project, stack),
  };
}

/** Resource name of the stack's registry model. */
export function modelNameOf(settings: NamingSettings): string {
  const { project, region } = settings;
  return `projects/${project}/locations/${region}/models/${servingIdsOf(settings).modelId}`;
}

/** Lower case, one hyphen for everything else, none at the ends. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}
