import protobuf from "protobufjs";
import { ApiError } from "../errors.ts";
import { parseJsonBody } from "../http.ts";
import { fromJson, toCamelCase } from "./codec.ts";
import type { Document, Json } from "./codec.ts";
import type { Version } from "./descriptors.ts";

/** What a REST path means. */
export interface Target {
  /** "google.cloud.aiplatform.v1.EndpointService.DeployModel" */
  readonly fullName: string;
  /** "EndpointService.DeployModel" */
  readonly key: string;
  readonly version: Version | undefined;
  readonly requestType: protobuf.Type;
  readonly responseType: protobuf.Type;
  /** Request field that the HTTP body fills, "*" for the whole request, "" for no body. */
  readonly body: string;
  /** Dotted request fields that stand in the path. */
  readonly fields: ReadonlyMap<string, string>;
}

export const HTTP_BODY = "HttpBody";
/** Google's system parameters: about the form of the answer or the caller, not the request. */
const SYSTEM_PARAMETERS =
  /^\$|^(alt|key|fields|prettyPrint|quotaUser|userIp|access_token|callback|oauth_token|uploadType|upload_protocol)$/;

/** The request message of a REST call: path, query and body together. Throws INVALID_ARGUMENT. */
export function readRequest(
  target: Target,
  url: URL,
  body: Buffer,
  contentType: string | undefined,
): Document {
  const json: Document = {};
  if (takesRawBody(target)) {
    json["httpBody"] = {
      contentType: contentType ?? "application/json",
      data: body.toString("base64"),
    };
  } else if (target.body === "*") {
    Object.assign(json, asObject(parseJsonBody(body)));
  } else if (target.body !== "") {
    json[toCamelCase(target.body)] = asObject(parseJsonBody(body));
  }
  for (const [name, value] of url.searchParams) {
    if (!SYSTEM_PARAMETERS.test(name)) setQueryField(json, target.requestType, name, value);
  }
  for (const [path, value] of target.fields) setPath(json, path.split("."), value);
  return fromJson(target.requestType, json);
}

/** rawPredict hands any body through, as Google does for requests that hold a google.api.HttpBody. */
function takesRawBody(target: Target): boolean {
  return target.requestType.fields["httpBody"]?.resolvedType?.name === HTTP_BODY;
}

function asObject(json: unknown): Document {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Document;
  throw new ApiError("INVALID_ARGUMENT", "Invalid JSON payload received. Root must be an object.");
}

function setQueryField(json: Document, type: protobuf.Type, name: string, value: string): void {
  const path = name.split(".").map(toCamelCase);
  const field = findField(type, path);
  if (field === undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. Field '${name}' could not be found in request message.`,
    );
  }
  const typed =
    field.type === "bool" ? value === "true" || value === "" : toEnumOrText(field, value);
  if (field.repeated) {
    const present = json[path[0] ?? ""];
    setPath(json, path, [...(Array.isArray(present) ? present : []), typed]);
  } else {
    setPath(json, path, typed);
  }
}

function toEnumOrText(field: protobuf.Field, value: string): Json {
  const isNumber = field.resolvedType instanceof protobuf.Enum && /^\d+$/.test(value);
  return isNumber ? Number(value) : value;
}

function findField(type: protobuf.Type, path: readonly string[]): protobuf.Field | undefined {
  const [head = "", ...rest] = path;
  const field = type.fields[head];
  if (field === undefined || rest.length === 0) return field;
  field.resolve();
  return field.resolvedType instanceof protobuf.Type
    ? findField(field.resolvedType, rest)
    : undefined;
}

function setPath(json: Document, path: readonly string[], value: Json): void {
  const [head = "", ...rest] = path;
  if (rest.length === 0) {
    json[head] = value;
    return;
  }
  const inner = json[head];
  const next =
    typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : ({} as Document);
  json[head] = next;
  setPath(next, rest, value);
}
