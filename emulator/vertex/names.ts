import { ApiError } from "../errors.ts";
import { projectNumberOf } from "../projects.ts";

/** `projects/NUMBER/locations/REGION`: where a resource lives. */
export interface Parent {
  readonly projectNumber: string;
  readonly location: string;
}

const LOCATION = /^[a-z]+-[a-z]+[0-9]{1,2}$/;
const PROJECT = /^(?:[0-9]{1,20}|[a-z][a-z0-9-]{4,28}[a-z0-9])$/;
const MODEL_ID = /^[a-z_][a-z0-9_-]{0,62}$/;
const STORED_MODEL_ID = /^[a-z0-9_-]{1,63}$/;
const LETTER_ENDPOINT_ID = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const STORED_ENDPOINT_ID = /^[a-z0-9-]{1,63}$/;
const NUMBER_ENDPOINT_ID = /^[1-9][0-9]*$/;
const DEPLOYED_MODEL_ID = /^[0-9]{1,10}$/;
const VERSION_ALIAS = /^[a-z](?:[a-zA-Z0-9-]{0,126}[a-z0-9-])?$/;
const LONGEST_DISPLAY_NAME = 128;
/** The reference says 9 digits, Terraform's provider 10: both are accepted. */
const ENDPOINT_ID_DIGITS = 10;

/** Throws INVALID_ARGUMENT when it is not `projects/P/locations/L`. */
export function parseParent(parent: string | undefined): Parent {
  const found = /^projects\/([^/]+)\/locations\/([^/]+)$/.exec(parent ?? "");
  if (found === null) throw badName("parent", parent, "projects/PROJECT/locations/REGION");
  return toParent(found[1] ?? "", found[2] ?? "");
}

function toParent(project: string, location: string): Parent {
  if (!PROJECT.test(project)) {
    throw new ApiError("INVALID_ARGUMENT", `"${project}" is not a project id or number.`);
  }
  if (!LOCATION.test(location)) {
    throw new ApiError("INVALID_ARGUMENT", `"${location}" is not a Vertex AI region.`);
  }
  return { projectNumber: projectNumberOf(project), location };
}

export function parentName(parent: Parent): string {
  return `projects/${parent.projectNumber}/locations/${parent.location}`;
}

/** A model as a request names it: `.../models/M`, `M@2`, `M@alias`, `M@default`. */
export interface ModelReference {
  readonly parent: Parent;
  /** Without version. */
  readonly name: string;
  /** Version id or alias after "@"; undefined without one (or with "@-"). */
  readonly version: string | undefined;
}

export function parseModelName(name: string | undefined): ModelReference {
  const found = /^projects\/([^/]+)\/locations\/([^/]+)\/models\/([^/@]+)(?:@([^/]+))?$/.exec(
    name ?? "",
  );
  if (found === null || !STORED_MODEL_ID.test(found[3] ?? "")) {
    throw badName("model", name, "projects/PROJECT/locations/REGION/models/MODEL");
  }
  const parent = toParent(found[1] ?? "", found[2] ?? "");
  const version = found[4] === "-" ? undefined : found[4];
  return { parent, name: `${parentName(parent)}/models/${found[3]}`, version };
}

export interface EndpointReference {
  readonly parent: Parent;
  readonly name: string;
  readonly id: string;
}

export function parseEndpointName(name: string | undefined): EndpointReference {
  const found = /^projects\/([^/]+)\/locations\/([^/]+)\/endpoints\/([^/]+)$/.exec(name ?? "");
  const id = found?.[3] ?? "";
  if (found === null || !STORED_ENDPOINT_ID.test(id)) {
    throw badName("endpoint", name, "projects/PROJECT/locations/REGION/endpoints/ENDPOINT");
  }
  const parent = toParent(found[1] ?? "", found[2] ?? "");
  return { parent, name: `${parentName(parent)}/endpoints/${id}`, id };
}

/** The same resource name with the project's number in place of its id. */
export function canonicalName(name: string): string {
  return name.replace(/^(ui\/)?projects\/([^/]+)/, (_match, _ui, project: string) => {
    return `projects/${projectNumberOf(project)}`;
  });
}

/** A chosen endpoint id: letter first, up to 63 of [a-z0-9-]; or digit first, digits only, no leading zero. */
export function checkEndpointId(id: string): void {
  const isNumber = NUMBER_ENDPOINT_ID.test(id) && id.length <= ENDPOINT_ID_DIGITS;
  if (isNumber || LETTER_ENDPOINT_ID.test(id)) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `Endpoint ID "${id}" is not valid: a letter first with up to 63 of [a-z0-9-] and a letter or digit last, or up to ${ENDPOINT_ID_DIGITS} digits without a leading zero.`,
  );
}

/** A chosen model id: up to 63 of [a-z0-9_-], the first neither digit nor hyphen. */
export function checkModelId(id: string): void {
  if (MODEL_ID.test(id)) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `Model ID "${id}" is not valid: up to 63 of [a-z0-9_-], the first neither a digit nor a hyphen.`,
  );
}

/** A chosen deployed model id: 1 to 10 digits. */
export function checkDeployedModelId(id: string): void {
  if (DEPLOYED_MODEL_ID.test(id)) return;
  throw new ApiError("INVALID_ARGUMENT", `DeployedModel ID "${id}" is not valid: 1 to 10 digits.`);
}

/** Up to 128 characters, not empty. */
export function checkDisplayName(displayName: string | undefined, field: string): void {
  const length = [...(displayName ?? "")].length;
  if (length >= 1 && length <= LONGEST_DISPLAY_NAME) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    length === 0
      ? `${field} is required.`
      : `${field} has ${length} characters: at most ${LONGEST_DISPLAY_NAME} are allowed.`,
  );
}

export function checkVersionAlias(alias: string): void {
  if (VERSION_ALIAS.test(alias)) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `Version alias "${alias}" is not valid: it must match [a-z][a-zA-Z0-9-]{0,126}[a-z0-9-].`,
  );
}

/** A generated numeric id as long as Google's, 19 digits. */
export function generateId(): string {
  const digits = Array.from({ length: 18 }, () => Math.floor(Math.random() * 10));
  return `${1 + Math.floor(Math.random() * 8)}${digits.join("")}`;
}

function badName(what: string, name: string | undefined, form: string): ApiError {
  return new ApiError(
    "INVALID_ARGUMENT",
    `"${name ?? ""}" is not a valid ${what} name: expected "${form}".`,
  );
}
