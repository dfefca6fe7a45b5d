import * as grpc from "@grpc/grpc-js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import type { DiffKind, Difference } from "./diff.ts";
import { GoogleRest } from "./google-rest.ts";
import type { Provider } from "./lifecycle.ts";
import * as lifecycle from "./lifecycle.ts";
import { checkConfig, resolveConfig } from "./provider-config.ts";
import type { CheckFailure, ResourceType } from "./resource-type.ts";
import { fromStruct, toStruct } from "./struct.ts";
import { RESOURCE_TYPES } from "./types/table.ts";

const KINDS: Record<DiffKind, { inPlace: number; replacing: number }> = {
  add: {
    inPlace: providerPb.PropertyDiff.Kind.ADD,
    replacing: providerPb.PropertyDiff.Kind.ADD_REPLACE,
  },
  delete: {
    inPlace: providerPb.PropertyDiff.Kind.DELETE,
    replacing: providerPb.PropertyDiff.Kind.DELETE_REPLACE,
  },
  update: {
    inPlace: providerPb.PropertyDiff.Kind.UPDATE,
    replacing: providerPb.PropertyDiff.Kind.UPDATE_REPLACE,
  },
};

/**
 * Serves pulumirpc.ResourceProvider. Methods that are not here (GetSchema, Handshake, Construct, Call, ...) are answered with
 * UNIMPLEMENTED, which the engine takes as "does not support it".
 *
 * @param version - Version of @pulumi/gcp that this stands in for.
 */
export function addResourceProvider(server: grpc.Server, version: string): void {
  let configured: Provider | undefined;
  const provider = (): Provider => {
    if (!configured) throw new Error("The local gcp plugin was asked before it was configured.");
    return configured;
  };

  server.addService(providerGrpc.ResourceProviderService, {
    getPluginInfo: unary((_request: emptyPb.Empty) => {
      const info = new pluginPb.PluginInfo();
      info.setVersion(version);
      return info;
    }),

    checkConfig: unary((request: providerPb.CheckRequest) =>
      toCheckResponse(
        fromStruct(request.getNews()),
        checkConfig(fromStruct(request.getNews()), process.env),
      ),
    ),

    // Nothing in the provider's configuration replaces a resource: each resource compares its own project.
    diffConfig: unary((_request: providerPb.DiffRequest) => {
      const response = new providerPb.DiffResponse();
      response.setChanges(providerPb.DiffResponse.DiffChanges.DIFF_UNKNOWN);
      return response;
    }),

    configure: unary((request: providerPb.ConfigureRequest) => {
      const config = resolveConfig(fromStruct(request.getArgs()), process.env);
      configured = { config, rest: new GoogleRest(config) };
      const response = new providerPb.ConfigureResponse();
      response.setSupportspreview(true);
      return response;
    }),

    check: unary((request: providerPb.CheckRequest) => {
      const declared = fromStruct(request.getNews());
      const { inputs, failures } = lifecycle.checkInputs(typeOf(request), provider(), declared);
      return toCheckResponse(inputs, failures);
    }),

    diff: unary((request: providerPb.DiffRequest) =>
      toDiffResponse(
        lifecycle.diff(
          typeOf(request),
          provider(),
          fromStruct(request.getNews()),
          fromStruct(request.getOlds()),
          request.getIgnorechangesList(),
        ),
      ),
    ),

    create: unary(async (request: providerPb.CreateRequest) => {
      const type = typeOf(request);
      const inputs = fromStruct(request.getProperties());
      const response = new providerPb.CreateResponse();
      if (request.getPreview()) {
        response.setProperties(toStruct(lifecycle.planOutputs(type, provider(), inputs)));
        return response;
      }
      const { id, outputs } = await lifecycle.create(type, provider(), inputs);
      response.setId(id);
      response.setProperties(toStruct(outputs));
      return response;
    }),

    read: unary(async (request: providerPb.ReadRequest) => {
      const recorded = fromStruct(request.getProperties());
      const inputs = fromStruct(request.getInputs());
      const found = await lifecycle.read(
        typeOf(request),
        provider(),
        request.getId(),
        recorded,
        inputs,
      );
      const response = new providerPb.ReadResponse();
      // An empty id says that the resource is gone.
      if (!found) return response;
      response.setId(found.id);
      response.setProperties(toStruct(found.outputs));
      response.setInputs(toStruct(found.inputs));
      return response;
    }),

    update: unary(async (request: providerPb.UpdateRequest) => {
      const type = typeOf(request);
      const inputs = fromStruct(request.getNews());
      const recorded = fromStruct(request.getOlds());
      const outputs = request.getPreview()
        ? lifecycle.planOutputs(type, provider(), inputs, recorded)
        : await lifecycle.update(
            type,
            provider(),
            request.getId(),
            inputs,
            recorded,
            request.getIgnorechangesList(),
          );
      const response = new providerPb.UpdateResponse();
      response.setProperties(toStruct(outputs));
      return response;
    }),

    delete: unary(async (request: providerPb.DeleteRequest) => {
      const recorded = fromStruct(request.getProperties());
      await lifecycle.remove(typeOf(request), provider(), request.getId(), recorded);
      return new emptyPb.Empty();
    }),

    invoke: unary((request: providerPb.InvokeRequest): providerPb.InvokeResponse => {
      throw new Error(
        `The local gcp plugin serves no functions, so not "${request.getTok()}". ${OFFICIAL}`,
      );
    }),

    call: unary((request: providerPb.CallRequest): providerPb.CallResponse => {
      throw new Error(
        `The local gcp plugin serves no methods, so not "${request.getTok()}". ${OFFICIAL}`,
      );
    }),

    // Work in flight goes on, as with the official provider: the engine waits for it and so records what it made.
    cancel: unary((_request: emptyPb.Empty) => new emptyPb.Empty()),

    // Only asked by an engine that was told to use a running plugin (PULUMI_DEBUG_PROVIDERS); nothing depends on its address.
    attach: unary((_request: pluginPb.PluginAttach) => new emptyPb.Empty()),
  });
}

const OFFICIAL = 'Install the official plugin with "pulumi plugin install resource gcp".';

/** Wraps one method; what it throws reaches the engine as the message of the failed step. */
function unary<Request, Response>(
  answer: (request: Request) => Response | Promise<Response>,
): grpc.handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => answer(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => {
          const details = error instanceof Error ? error.message : String(error);
          callback({ code: grpc.status.UNKNOWN, details });
        },
      );
  };
}

function typeOf(request: { getUrn(): string }): ResourceType {
  // urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
  const token = request.getUrn().split("::")[2]?.split("$").at(-1) ?? "";
  const type = RESOURCE_TYPES.get(token);
  if (type) return type;
  const served = [...RESOURCE_TYPES.keys()].map((name) => `"${name}"`).join(" and ");
  throw new Error(`The local gcp plugin serves ${served} only, so not "${token}". ${OFFICIAL}`);
}

function toCheckResponse(
  inputs: Readonly<Record<string, unknown>>,
  failures: readonly CheckFailure[],
): providerPb.CheckResponse {
  const response = new providerPb.CheckResponse();
  response.setInputs(toStruct(inputs));
  for (const { property, reason } of failures) {
    const failure = new providerPb.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    response.addFailures(failure);
  }
  return response;
}

function toDiffResponse(difference: Difference): providerPb.DiffResponse {
  const { DIFF_NONE, DIFF_SOME } = providerPb.DiffResponse.DiffChanges;
  const response = new providerPb.DiffResponse();
  response.setChanges(difference.paths.size > 0 ? DIFF_SOME : DIFF_NONE);
  response.setReplacesList([...difference.replaces]);
  response.setDeletebeforereplace(difference.deleteBeforeReplace);
  response.setDiffsList([...difference.changed]);
  response.setHasdetaileddiff(true);
  for (const [path, kind] of difference.paths) {
    const replacing = [...difference.replaces].some(
      (name) => path === name || path.startsWith(`${name}.`),
    );
    const entry = new providerPb.PropertyDiff();
    entry.setKind(replacing ? KINDS[kind].replacing : KINDS[kind].inPlace);
    response.getDetaileddiffMap().set(path, entry);
  }
  return response;
}
