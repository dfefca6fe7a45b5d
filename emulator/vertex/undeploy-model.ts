import { ApiError } from "../errors.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { getDeployed, getEndpoint, serverIdOf, withoutId } from "./endpoints.ts";
import { checkSplit, isEmptySplit } from "./traffic.ts";
import type { DeployedRecord, Document, EndpointRecord, TrafficSplit } from "./types.ts";

/** Takes a model off its endpoint. Requests under way are answered before its server ends. */
export async function undeployModel(
  cloud: Cloud,
  request: {
    readonly endpoint?: string;
    readonly deployedModelId?: string;
    readonly trafficSplit?: TrafficSplit;
  },
  call: MethodCall,
): Promise<Document> {
  const endpoint = getEndpoint(cloud, request.endpoint);
  const deployed = getDeployed(endpoint, request.deployedModelId);
  splitAfterUndeploy(endpoint, deployed, request.trafficSplit);
  cloud.operations.checkIdle(endpoint.name);
  return cloud.operations.start({
    call,
    method: "EndpointService.UndeployModel",
    under: endpoint.name,
    metadataType: "UndeployModelOperationMetadata",
    responseType: "UndeployModelResponse",
    run: async (progress) => {
      await progress.stage("");
      const present = getEndpoint(cloud, endpoint.name);
      // The split may have been changed since the call.
      const split = splitAfterUndeploy(present, deployed, request.trafficSplit);
      cloud.endpoints.put({
        ...present,
        deployed: withoutId(present.deployed, deployed.id),
        trafficSplit: split,
      });
      const serverId = serverIdOf(endpoint, deployed.id);
      await cloud.servers.stop(serverId);
      cloud.servers.forget(serverId);
      return {};
    },
  });
}

/** Throws FAILED_PRECONDITION when the model would leave with traffic, INVALID_ARGUMENT on a split that is none. */
function splitAfterUndeploy(
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
  given: TrafficSplit | undefined,
): TrafficSplit {
  const remaining = withoutId(endpoint.deployed, deployed.id);
  if (remaining.length === 0) return {};
  const split = isEmptySplit(given) ? endpoint.trafficSplit : (given ?? {});
  if ((split[deployed.id] ?? 0) > 0) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `The DeployedModel "${deployed.id}" being undeployed should have 0 traffic: it has ${split[deployed.id]} %. Give a traffic_split that moves it.`,
    );
  }
  const { [deployed.id]: _zero, ...left } = split;
  if (!isEmptySplit(given)) {
    checkSplit(
      left,
      remaining.map((one) => one.id),
    );
  }
  return left;
}
