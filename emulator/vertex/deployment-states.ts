import type { Document } from "./codec.ts";
import type { Target } from "./rest-request.ts";

/*
 * `GET endpoint?allDeploymentStates=true`, from Google's guide to rolling deployments: neither the parameter nor the field
 * `state` that it adds is in a published descriptor, so both are served over REST alone, by hand.
 */

const PARAMETER = "allDeploymentStates";

/** Takes the parameter out of the query of a GetEndpoint of v1beta1. */
export function takeAllDeploymentStates(target: Target, url: URL): boolean {
  if (target.key !== "EndpointService.GetEndpoint" || target.version !== "v1beta1") return false;
  const wanted = url.searchParams.get(PARAMETER) === "true";
  url.searchParams.delete(PARAMETER);
  return wanted;
}

/** An Endpoint whose deployed models tell their state. Only one that has been deployed has a status. */
export function withDeploymentStates(endpoint: Document): Document {
  const models = (endpoint["deployedModels"] ?? []) as Document[];
  return {
    ...endpoint,
    deployedModels: models.map((one) => ({
      ...one,
      state: "status" in one ? "DEPLOYED" : "BEING_DEPLOYED",
    })),
  };
}
