import { ApiError } from "../errors.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { getEndpoint, toEndpointDocument } from "./endpoints.ts";
import { filterBy, page } from "./listing.ts";
import type { ListRequest } from "./listing.ts";
import { checkEtag } from "./models.ts";
import { checkEndpointId, generateId, parentName, parseParent } from "./names.ts";
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
  if ((given.displayName ?? "") === "") {
    throw new ApiError("INVALID_ARGUMENT", "endpoint.display_name is required.");
  }
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
): Promise<Document> {
  return toEndpointDocument(getEndpoint(cloud, request.name));
}

export async function listEndpoints(
  cloud: Cloud,
  request: ListRequest & { readonly parent?: string },
): Promise<Document> {
  const prefix = `${parentName(parseParent(request.parent))}/endpoints/`;
  const endpoints = cloud.endpoints.list().filter((one) => one.name.startsWith(prefix));
  const fields = ["display_name", "displayName", "endpoint"];
  const found = page(filterBy(endpoints, request.filter, fields, readEndpointField), request);
  return {
    endpoints: found.items.map(toEndpointDocument),
    nextPageToken: found.nextPageToken,
  };
}

function readEndpointField(endpoint: EndpointRecord, field: string): string | undefined {
  if (field.startsWith("labels.")) return endpoint.document.labels?.[field.slice("labels.".length)];
  return field === "endpoint" ? endpoint.name.replace(/^.*\//, "") : endpoint.document.displayName;
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
  if (paths.includes("displayName") && (given.displayName ?? "") === "") {
    throw new ApiError("INVALID_ARGUMENT", "endpoint.display_name must not be empty.");
  }
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
