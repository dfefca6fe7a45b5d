import { ApiError } from "../errors.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { checkInferenceTimeout, checkLogging, checkNetworking } from "./endpoint-fields.ts";
import { getEndpoint, toEndpointDocument } from "./endpoints.ts";
import { checkLabels } from "./labels.ts";
import { list, readFields } from "./listing.ts";
import type { ListRequest } from "./listing.ts";
import { checkEtag } from "./models.ts";
import { checkDisplayName, checkEndpointId, generateId, parentName, parseParent } from "./names.ts";
import { checkSplit, isEmptySplit } from "./traffic.ts";
import type { Document, EndpointDocument, EndpointRecord } from "./types.ts";
import { readMask } from "./update-mask.ts";

/** Fields that a caller may send and that only the service sets. */
const OUTPUT_ONLY: readonly string[] = [
  ...["name", "deployedModels", "trafficSplit", "etag", "createTime", "updateTime"],
  ...["dedicatedEndpointDns", "modelDeploymentMonitoringJob", "satisfiesPzs", "satisfiesPzi"],
];
const CHANGEABLE: readonly string[] = [
  ...["displayName", "description", "labels", "trafficSplit"],
  "predictRequestResponseLoggingConfig",
];

export async function createEndpoint(
  cloud: Cloud,
  request: {
    readonly parent?: string;
    readonly endpointId?: string;
    readonly endpoint?: EndpointDocument;
  },
  call: MethodCall,
): Promise<Document> {
  const parent = parseParent(request.parent);
  const given = request.endpoint ?? {};
  checkDisplayName(given.displayName, "endpoint.display_name");
  checkLabels(given.labels);
  checkNetworking(given);
  checkLogging(given);
  checkInferenceTimeout(given);
  if (!isEmptySplit(given.trafficSplit)) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      "endpoint.traffic_split must be empty: a new Endpoint has no DeployedModel.",
    );
  }
  const id = request.endpointId ?? generateId();
  if (request.endpointId !== undefined) checkEndpointId(id);
  const name = `${parentName(parent)}/endpoints/${id}`;
  if (cloud.endpoints.get(name) !== undefined) {
    throw new ApiError("ALREADY_EXISTS", `The Endpoint "${name}" already exists.`);
  }
  cloud.operations.checkIdle(name);
  const dns = `${id}.${parent.location}-${parent.projectNumber}.prediction.vertexai.goog`;
  return cloud.operations.start({
    call,
    method: "EndpointService.CreateEndpoint",
    under: name,
    metadataType: "CreateEndpointOperationMetadata",
    responseType: "Endpoint",
    run: async (progress) => {
      await progress.stage("");
      const now = cloud.now();
      const record = cloud.endpoints.put({
        name,
        document: {
          ...withoutFields(given, OUTPUT_ONLY),
          createTime: now,
          updateTime: now,
          ...(given.dedicatedEndpointEnabled === true ? { dedicatedEndpointDns: dns } : {}),
        },
        trafficSplit: {},
        deployed: [],
        deploying: [],
      });
      return toEndpointDocument(record);
    },
  });
}

export async function getEndpointMethod(
  cloud: Cloud,
  request: { readonly name?: string },
  call: MethodCall,
): Promise<Document> {
  const endpoint = getEndpoint(cloud, request.name);
  if (call.allDeploymentStates !== true) return toEndpointDocument(endpoint);
  return toEndpointDocument({
    ...endpoint,
    deployed: [...endpoint.deployed, ...endpoint.deploying],
  });
}

export async function listEndpoints(
  cloud: Cloud,
  request: ListRequest & { readonly parent?: string },
): Promise<Document> {
  const prefix = `${parentName(parseParent(request.parent))}/endpoints/`;
  const found = list(
    {
      items: cloud.endpoints.list().filter((one) => one.name.startsWith(prefix)),
      filterFields: ["displayName", "endpoint"],
      orderFields: ["displayName", "createTime", "updateTime"],
      read: readEndpointField,
    },
    request,
  );
  return {
    endpoints: found.items.map((one) => readFields(toEndpointDocument(one), request.readMask)),
    nextPageToken: found.nextPageToken,
  };
}

function readEndpointField(endpoint: EndpointRecord, field: string): string | undefined {
  if (field.startsWith("labels.")) return endpoint.document.labels?.[field.slice("labels.".length)];
  if (field === "endpoint") return endpoint.name.replace(/^.*\//, "");
  const value = endpoint.document[field];
  return typeof value === "string" ? value : undefined;
}

export async function updateEndpoint(
  cloud: Cloud,
  request: { readonly endpoint?: EndpointDocument; readonly updateMask?: string },
): Promise<Document> {
  const given = request.endpoint ?? {};
  const endpoint = getEndpoint(cloud, given.name);
  const what = `Endpoint "${endpoint.name}"`;
  const paths = readMask(request.updateMask, CHANGEABLE, what);
  const present = toEndpointDocument(endpoint)["etag"] as string;
  checkEtag(given.etag, present, what);
  if (paths.includes("displayName")) checkDisplayName(given.displayName, "endpoint.display_name");
  if (paths.includes("labels")) checkLabels(given.labels);
  checkLogging(given);
  const changesSplit = paths.includes("trafficSplit");
  if (changesSplit && !isEmptySplit(given.trafficSplit)) {
    checkSplit(
      given.trafficSplit ?? {},
      endpoint.deployed.map((one) => one.id),
    );
  }
  const changed = paths.filter((path) => path !== "trafficSplit");
  const values = Object.fromEntries(
    changed.filter((path) => given[path] !== undefined).map((path) => [path, given[path]]),
  );
  const updated = cloud.endpoints.put({
    ...endpoint,
    document: {
      ...withoutFields(endpoint.document, changed),
      ...values,
      updateTime: cloud.now(),
    },
    trafficSplit: changesSplit ? (given.trafficSplit ?? {}) : endpoint.trafficSplit,
  });
  return toEndpointDocument(updated);
}

/** The way to change the client connection config, and nothing else. */
export async function updateEndpointLongRunning(
  cloud: Cloud,
  request: { readonly endpoint?: EndpointDocument },
  call: MethodCall,
): Promise<Document> {
  const given = request.endpoint ?? {};
  const endpoint = getEndpoint(cloud, given.name);
  const what = `Endpoint "${endpoint.name}"`;
  const present = toEndpointDocument(endpoint);
  checkEtag(given.etag, present["etag"] as string, what);
  const other = Object.keys(given).find(
    (field) =>
      field !== "clientConnectionConfig" &&
      !OUTPUT_ONLY.includes(field) &&
      JSON.stringify(given[field]) !== JSON.stringify(present[field]),
  );
  if (other !== undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `Field "${other}" of ${what} can't be updated this way: only client_connection_config can.`,
    );
  }
  checkInferenceTimeout(given);
  cloud.operations.checkIdle(endpoint.name);
  return cloud.operations.start({
    call,
    method: "EndpointService.UpdateEndpointLongRunning",
    under: endpoint.name,
    metadataType: "UpdateEndpointOperationMetadata",
    responseType: "Endpoint",
    run: async (progress) => {
      await progress.stage("");
      const now = getEndpoint(cloud, endpoint.name);
      const { clientConnectionConfig } = given;
      const updated = cloud.endpoints.put({
        ...now,
        document: {
          ...withoutFields(now.document, ["clientConnectionConfig"]),
          ...(clientConnectionConfig === undefined ? {} : { clientConnectionConfig }),
          updateTime: cloud.now(),
        },
      });
      return toEndpointDocument(updated);
    },
  });
}

export async function deleteEndpoint(
  cloud: Cloud,
  request: { readonly name?: string },
  call: MethodCall,
): Promise<Document> {
  const endpoint = getEndpoint(cloud, request.name);
  if (endpoint.deployed.length + endpoint.deploying.length > 0) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `Endpoint "${endpoint.name}" has deployed or being-deployed DeployedModel(s): undeploy them before deleting it.`,
    );
  }
  cloud.operations.checkIdle(endpoint.name);
  return cloud.operations.start({
    call,
    method: "EndpointService.DeleteEndpoint",
    under: endpoint.name,
    metadataType: "DeleteOperationMetadata",
    responseType: "google.protobuf.Empty",
    run: async (progress) => {
      await progress.stage("");
      cloud.endpoints.delete(endpoint.name);
      return {};
    },
  });
}

function withoutFields(document: EndpointDocument, fields: readonly string[]): EndpointDocument {
  return Object.fromEntries(Object.entries(document).filter(([field]) => !fields.includes(field)));
}
