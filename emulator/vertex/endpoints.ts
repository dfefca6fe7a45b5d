import { ApiError } from "../errors.ts";
import type { Cloud } from "./cloud.ts";
import { etagOf } from "./models.ts";
import { parseEndpointName } from "./names.ts";
import type { DeployedRecord, Document, EndpointRecord } from "./types.ts";

/** Throws INVALID_ARGUMENT, NOT_FOUND. */
export function getEndpoint(cloud: Cloud, name: string | undefined): EndpointRecord {
  const reference = parseEndpointName(name);
  const endpoint = cloud.endpoints.get(reference.name);
  if (endpoint !== undefined) return endpoint;
  throw new ApiError("NOT_FOUND", `The Endpoint "${reference.name}" does not exist.`);
}

/** Throws NOT_FOUND. */
export function getDeployed(endpoint: EndpointRecord, id: string | undefined): DeployedRecord {
  const deployed = endpoint.deployed.find((one) => one.id === id);
  if (deployed !== undefined) return deployed;
  throw new ApiError(
    "NOT_FOUND",
    `The DeployedModel "${id ?? ""}" does not exist on Endpoint "${endpoint.name}".`,
  );
}

/** The Endpoint that GetEndpoint answers. */
export function toEndpointDocument(endpoint: EndpointRecord): Document {
  const document: Document = {
    ...(endpoint.document as Document),
    name: endpoint.name,
    deployedModels: endpoint.deployed.map((one) => one.document as Document),
    trafficSplit: { ...endpoint.trafficSplit },
  };
  return { ...document, etag: etagOf({ ...endpoint, deploying: [] }) };
}

export function isDedicated(endpoint: EndpointRecord): boolean {
  return endpoint.document.dedicatedEndpointEnabled === true;
}

export function regionOf(endpoint: EndpointRecord): string {
  return parseEndpointName(endpoint.name).parent.location;
}

/** Name of the deployed model's server and folder: deployed model ids need only be unique on their endpoint. */
export function serverIdOf(endpoint: EndpointRecord, deployedModelId: string): string {
  return `${parseEndpointName(endpoint.name).id}-${deployedModelId}`;
}

export function withoutId(records: readonly DeployedRecord[], id: string): DeployedRecord[] {
  return records.filter((one) => one.id !== id);
}
