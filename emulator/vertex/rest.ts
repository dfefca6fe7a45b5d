import type { IncomingMessage, ServerResponse } from "node:http";
import protobuf from "protobufjs";
import type { Around } from "../calls.ts";
import { ApiError } from "../errors.ts";
import { parseJsonBody, readBody, sendError, sendJson } from "../http.ts";
import type { MethodCall } from "./cloud.ts";
import { fromJson, toCamelCase, toJson } from "./codec.ts";
import type { Document, Json } from "./codec.ts";
import { root } from "./descriptors.ts";
import type { Version } from "./descriptors.ts";
import { dispatch } from "./dispatch.ts";
import { HttpRoutes } from "./http-routes.ts";
import type { RouteMatch } from "./http-routes.ts";
import type { MethodTable } from "./methods.ts";
import { matchOperationRoute } from "./operation-routes.ts";

/** Above the largest payload that any endpoint takes. */
const BODY_LIMIT_BYTES = 12_000_000;
const HTTP_BODY = "HttpBody";
/** Google's system parameters: about the form of the answer or the caller, not the request. */
const SYSTEM_PARAMETERS =
  /^\$|^(alt|key|fields|prettyPrint|quotaUser|userIp|access_token|callback|oauth_token|uploadType|upload_protocol)$/;

interface Target {
  readonly fullName: string;
  readonly key: string;
  readonly version: Version | undefined;
  readonly requestType: protobuf.Type;
  readonly responseType: protobuf.Type;
  readonly body: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** The REST edge: JSON over the routes of the published HTTP rules. */
export class VertexRest {
  readonly #methods: MethodTable;
  readonly #around: Around;
  readonly #routes = new HttpRoutes();

  constructor(methods: MethodTable, around: Around) {
    this.#methods = methods;
    this.#around = around;
  }

  /** Answers the request; false when the path is none of Vertex AI's. */
  async handle(req: IncomingMessage, res: ServerResponse, url: URL): Promise<boolean> {
    if (!/^\/(v1|v1beta1|ui)\//.test(url.pathname)) return false;
    try {
      await this.#answer(req, res, url);
    } catch (error) {
      sendError(res, error);
    }
    return true;
  }

  async #answer(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    const body = await readBody(req, BODY_LIMIT_BYTES);
    const target = this.#findTarget(req.method ?? "GET", url.pathname);
    const call: MethodCall = {
      version: target.version,
      method: target.fullName,
      host: (req.headers.host ?? "").replace(/:\d+$/, ""),
      endpointHeader: String(req.headers["x-vertex-ai-endpoint-id"] ?? ""),
      requestBytes: body.length,
      setHeader: (name, value) => res.setHeader(name, value),
    };
    const message = await dispatch(this.#around, {
      method: this.#methods[target.key],
      request: readRequest(target, url, body, req.headers["content-type"]),
      responseType: target.responseType,
      call,
      caller: `rest ${callerOf(req)}`,
      reset: () => req.socket.resetAndDestroy(),
    });
    if (target.responseType.name === HTTP_BODY) sendHttpBody(res, toJson(message, false));
    else sendJson(res, 200, toJson(message, wantsNumericEnums(url)));
  }

  #findTarget(verb: string, path: string): Target {
    const operation = matchOperationRoute(verb, path);
    if (operation !== undefined) {
      const method = root.lookupService("google.longrunning.Operations").methods[operation.method];
      const { resolvedRequestType, resolvedResponseType } = method?.resolve() as protobuf.Method;
      return {
        fullName: `google.longrunning.Operations.${operation.method}`,
        key: `Operations.${operation.method}`,
        version: operation.version,
        requestType: resolvedRequestType as protobuf.Type,
        responseType: resolvedResponseType as protobuf.Type,
        body: verb === "POST" ? "*" : "",
        fields: new Map([["name", operation.name]]),
      };
    }
    const match = this.#routes.match(verb, path);
    if (match !== undefined) return toTarget(match);
    throw new ApiError("NOT_FOUND", `No method of Vertex AI is served at ${verb} ${path}.`);
  }
}

function toTarget(match: RouteMatch): Target {
  const { rpc } = match;
  return {
    fullName: rpc.fullName,
    key: rpc.key,
    version: rpc.version,
    requestType: rpc.requestType,
    responseType: rpc.responseType,
    body: match.rule.body,
    fields: match.pathFields,
  };
}

function readRequest(
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

/** Python's clients ask for enums as numbers: `$alt=json;enum-encoding=int`. */
function wantsNumericEnums(url: URL): boolean {
  const alt = url.searchParams.get("$alt") ?? url.searchParams.get("alt") ?? "";
  return alt.includes("enum-encoding=int");
}

function sendHttpBody(res: ServerResponse, document: Document): void {
  const contentType = document["contentType"];
  const data = document["data"];
  res.writeHead(200, {
    "content-type": typeof contentType === "string" ? contentType : "application/json",
  });
  res.end(Buffer.from(typeof data === "string" ? data : "", "base64"));
}

function callerOf(req: IncomingMessage): string {
  const agent = req.headers["x-goog-api-client"] ?? req.headers["user-agent"] ?? "";
  return String(agent).slice(0, 120);
}
