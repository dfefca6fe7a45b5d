import type { GoogleRest } from "./google-rest.ts";

/** Inputs or outputs of a resource, by Pulumi property name. Unknowns are the string UNKNOWN; secrets are unwrapped. */
export type Properties = Readonly<Record<string, unknown>>;

/** How one input behaves. Without any of these it is optional, and leaving it out removes it from the resource. */
export interface InputRule {
  /** A missing value fails the check. */
  readonly required?: true;
  /** A change replaces the resource. */
  readonly forceNew?: true;
  /** Google fills it in when it is left out, so leaving it out changes nothing. */
  readonly computed?: true;
  /** Written into the inputs when it is left out. */
  readonly default?: string | boolean;
  /** Falls back to the provider's project, also when comparing. */
  readonly providerProject?: true;
  /** Brings an input and the matching output into the form in which they are compared. */
  readonly comparable?: (value: unknown) => unknown;
}

/** One gcp resource type. Adding a type is one such value in a file of its own, and its line in types/table.ts. */
export interface ResourceType {
  /** Type token, "gcp:storage/bucket:Bucket". */
  readonly token: string;
  /** What it is called in messages: "bucket". */
  readonly noun: string;
  /** Every input that is served. One that is not listed is refused in the check. */
  readonly inputs: Readonly<Record<string, InputRule>>;
  /** Outputs that only Google sets, besides pulumiLabels and effectiveLabels. They are unknown until it is created. */
  readonly outputsOnly: readonly string[];
  /** Problems that the input rules cannot state. Values may be unknown. */
  readonly check?: (inputs: Properties) => CheckFailure[];
  /** Pulumi id of the resource that these complete inputs name. */
  readonly id: (inputs: Properties) => string;
  /** Name, project and location that an id states, as inputs; undefined when the id has another form. */
  readonly fromId: (id: string, project: string | undefined) => Properties | undefined;
  /** Creates the resource and answers Google's document. `labels` are all labels to set. */
  readonly create: (
    rest: GoogleRest,
    inputs: Properties,
    labels: Labels,
  ) => Promise<Record<string, unknown>>;
  /** Google's document; a 404 rejects with a GoogleError. */
  readonly get: (rest: GoogleRest, inputs: Properties) => Promise<Record<string, unknown>>;
  /** Outputs that Google's document states, by Pulumi name; absent values left out; no labels. */
  readonly toOutputs: (document: Record<string, unknown>) => Properties;
  /** Writes the changed inputs (top-level names) in place and answers Google's document. */
  readonly update: (
    rest: GoogleRest,
    inputs: Properties,
    changed: ReadonlySet<string>,
    labels: { readonly before: Labels; readonly after: Labels },
  ) => Promise<Record<string, unknown>>;
  /** Deletes the resource; already gone is success. `recorded` are its last outputs. */
  readonly delete: (rest: GoogleRest, recorded: Properties) => Promise<void>;
}

export type Labels = Readonly<Record<string, string>>;

export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

/** Stands for a value that is known only after an update (the engine's own marker). */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the value is, or has anywhere inside it, the unknown marker. */
export function hasUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  return isRecord(value) && Object.values(value).some(hasUnknown);
}

/** Whether an optional input of this value is the same to Google's provider as one left out. */
export function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isRecord(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === "" || value === false;
}
