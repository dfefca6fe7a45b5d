import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import protobuf from "protobufjs";

/** API versions that are served; both answer from the same state. */
export const VERSIONS = ["v1", "v1beta1"] as const;
export type Version = (typeof VERSIONS)[number];

/** Google's published descriptors, as shipped inside its Node client: every message, service and HTTP rule. */
export const root: protobuf.Root = loadRoot();

function loadRoot(): protobuf.Root {
  const file = createRequire(import.meta.url).resolve(
    "@google-cloud/aiplatform/build/protos/protos.json",
  );
  const loaded = protobuf.Root.fromJSON(JSON.parse(readFileSync(file, "utf8")));
  loaded.resolveAll();
  return loaded;
}

/** "v1", "Model" -> "google.cloud.aiplatform.v1.Model". */
export function qualify(version: Version, shortName: string): string {
  return `google.cloud.aiplatform.${version}.${shortName}`;
}

/** A message type by its full name, or by its name inside the Vertex package of that version. */
export function messageType(name: string): protobuf.Type {
  return root.lookupType(name);
}

/** One RPC with its resolved types. */
export interface Rpc {
  /** "google.cloud.aiplatform.v1.ModelService.UploadModel" */
  readonly fullName: string;
  /** "ModelService.UploadModel": the key of the method table. */
  readonly key: string;
  readonly version: Version;
  readonly requestType: protobuf.Type;
  readonly responseType: protobuf.Type;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** `google.api.http` rules, additional bindings included. */
  readonly httpRules: readonly HttpRule[];
}

export interface HttpRule {
  readonly verb: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly template: string;
  /** Request field that the HTTP body fills, "*" for the whole request, "" for no body. */
  readonly body: string;
}

/** Every RPC of every Vertex service, both versions. */
export function listRpcs(): Rpc[] {
  return VERSIONS.flatMap((version) => {
    const namespace = root.lookup(`google.cloud.aiplatform.${version}`);
    if (!(namespace instanceof protobuf.Namespace)) return [];
    return namespace.nestedArray
      .filter((nested) => nested instanceof protobuf.Service)
      .flatMap((service) => service.methodsArray.map((method) => toRpc(version, service, method)));
  });
}

function toRpc(version: Version, service: protobuf.Service, method: protobuf.Method): Rpc {
  method.resolve();
  return {
    fullName: qualify(version, `${service.name}.${method.name}`),
    key: `${service.name}.${method.name}`,
    version,
    requestType: resolved(method.resolvedRequestType, method),
    responseType: resolved(method.resolvedResponseType, method),
    requestStream: Boolean(method.requestStream),
    responseStream: Boolean(method.responseStream),
    httpRules: readHttpRules(method),
  };
}

function resolved(type: protobuf.Type | null, method: protobuf.Method): protobuf.Type {
  if (type === null) throw new Error(`No type for "${method.fullName}".`);
  return type;
}

type RawRule = Record<string, unknown>;

function readHttpRules(method: protobuf.Method): HttpRule[] {
  const options: readonly RawRule[] = Array.isArray(method.parsedOptions)
    ? method.parsedOptions
    : [];
  return options
    .filter((option) => "(google.api.http)" in option)
    .map((option) => option["(google.api.http)"] as RawRule)
    .flatMap((rule) => [rule, ...asArray(rule["additional_bindings"])])
    .flatMap(toHttpRule);
}

function asArray(value: unknown): RawRule[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]) as RawRule[];
}

function toHttpRule(rule: RawRule): HttpRule[] {
  for (const verb of ["get", "post", "put", "patch", "delete"] as const) {
    const template = rule[verb];
    if (typeof template === "string") {
      const body = typeof rule["body"] === "string" ? rule["body"] : "";
      return [{ verb: verb.toUpperCase() as HttpRule["verb"], template, body }];
    }
  }
  return [];
}
