import type { File } from "@google-cloud/storage";

import { ReconcileError } from "./errors.ts";

/** Labels that mark a Model or an Endpoint as this project's and as one stack's. */
export const MANAGED_BY_LABEL = "managed-by";
export const MANAGED_BY = "vertex-diffusion";
export const STACK_LABEL = "vertex-diffusion-stack";

/** Label on an adopted endpoint: which of its deployed models this stack took over, and as which version. */
export const ADOPTED_LABEL = "vertex-diffusion-adopted";

/** Object metadata keys: which stack put it there, which archive it is, and the CRC32C that its bytes had then (base64). */
export const OBJECT_STACK_KEY = "vertex-diffusion-stack";
export const OBJECT_DIGEST_KEY = "vertex-diffusion-digest";
export const OBJECT_CRC32C_KEY = "vertex-diffusion-crc32c";
/** SHA-256 of a file beside an archive, hex. */
export const OBJECT_SHA256_KEY = "vertex-diffusion-sha256";

type Labels = Readonly<Record<string, string>>;

/** The user's labels with this stack's marks. */
export function withMarks(labels: Labels, stackUid: string): Record<string, string> {
  return { ...labels, [MANAGED_BY_LABEL]: MANAGED_BY, [STACK_LABEL]: stackUid };
}

/** The user's labels as they are in the cloud, without this stack's marks. */
export function withoutMarks(labels: Labels | null | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels ?? {}).filter(
      ([key]) => key !== MANAGED_BY_LABEL && key !== STACK_LABEL && !key.startsWith("goog-"),
    ),
  );
}

/** True when the labels bear this stack's mark. */
export function isOurs(labels: Labels | null | undefined, stackUid: string): boolean {
  return labels?.[STACK_LABEL] === stackUid;
}

/** True when the labels bear any stack's mark. */
export function isMarked(labels: Labels | null | undefined): boolean {
  return Boolean(labels?.[STACK_LABEL]);
}

/** Who owns a thing, in words for an error. */
export function ownerOf(labels: Labels | null | undefined): string {
  const stack = labels?.[STACK_LABEL];
  if (stack !== undefined && stack !== "") return `stack ${stack} of vertex-diffusion`;
  return "nobody that vertex-diffusion knows (it bears no mark)";
}

/** Who put an object there, in words for an error. */
export function ownerOfObject(file: File): string {
  return ownerOf({ [STACK_LABEL]: String(file.metadata.metadata?.[OBJECT_STACK_KEY] ?? "") });
}

/** Refuses a thing that is not this stack's. `what` names it: `model "sd-dev"`. */
export function requireOurs(
  what: string,
  labels: Labels | null | undefined,
  stackUid: string,
): void {
  if (isOurs(labels, stackUid)) return;
  throw new ReconcileError(
    `Could not use ${what}: it belongs to ${ownerOf(labels)}. Its id is made from the stack's name: use another stack name, or delete it by hand if nobody needs it${orAdopt(labels)}.`,
  );
}

/** The third way out of a refusal, where there is one: what bears no mark can be adopted. */
export function orAdopt(labels: Labels | null | undefined): string {
  return isMarked(labels) ? "" : `, or take it over with the setting "adopt"`;
}

/** displayName of a deployed model: `<model id>-<first 4 of the stack's uid>-<version alias>`. */
export function deployedDisplayName(modelId: string, stackUid: string, alias: string): string {
  return `${modelId}-${stackUid.slice(0, 4)}-${alias}`;
}

/** Who deployed a model that is not this stack's, in words for an error, by its displayName. */
export function deployerOf(displayName: string): string {
  const uid = /-([0-9a-f]{4})-sha-[0-9a-f]{12}$/.exec(displayName)?.[1];
  return uid === undefined
    ? "somebody else"
    : `another stack of vertex-diffusion (its uid begins with ${uid})`;
}

/** The version alias in a deployed model's displayName when it bears this stack's mark; else undefined. */
export function aliasInDisplayName(displayName: string, stackUid: string): string | undefined {
  const match = /-([0-9a-f]{4})-(sha-[0-9a-f]{12})$/.exec(displayName);
  return match?.[1] === stackUid.slice(0, 4) ? match[2] : undefined;
}

/** Value of ADOPTED_LABEL for a deployed model that was made by hand: its displayName can't be changed. */
export function adoptedValue(deployedModelId: string, alias: string): string {
  return `${deployedModelId}_${alias}`;
}

/** The version alias of a deployed model that this stack has adopted, by its endpoint's labels; else undefined. */
export function adoptedAlias(
  labels: Labels | null | undefined,
  stackUid: string,
  deployedModelId: string,
): string | undefined {
  if (!isOurs(labels, stackUid)) return undefined;
  const [, id, alias] = /^(\d+)_(sha-[0-9a-f]{12})$/.exec(labels?.[ADOPTED_LABEL] ?? "") ?? [];
  return id === deployedModelId ? alias : undefined;
}
