import { ReconcileError } from "./errors.ts";

/** Labels that mark a Model or an Endpoint as this project's and as one stack's. */
export const MANAGED_BY_LABEL = "managed-by";
export const MANAGED_BY = "vertex-diffusion";
export const STACK_LABEL = "vertex-diffusion-stack";

/** Object metadata keys: which stack put it there and which archive it is. */
export const OBJECT_STACK_KEY = "vertex-diffusion-stack";
export const OBJECT_DIGEST_KEY = "vertex-diffusion-digest";

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

/** Who owns a thing, in words for an error. */
export function ownerOf(labels: Labels | null | undefined): string {
  const stack = labels?.[STACK_LABEL];
  if (stack !== undefined && stack !== "") return `stack ${stack} of vertex-diffusion`;
  return "nobody that vertex-diffusion knows (it bears no mark)";
}

/** Refuses a thing that is not this stack's. `what` names it: `model "sd-dev"`. */
export function requireOurs(
  what: string,
  labels: Labels | null | undefined,
  stackUid: string,
): void {
  if (isOurs(labels, stackUid)) return;
  throw new ReconcileError(
    `Could not use ${what}: it belongs to ${ownerOf(labels)}. Its id is made from the stack's name: use another stack name, or delete it by hand if nobody needs it.`,
  );
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
