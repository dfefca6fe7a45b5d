import type { protos } from "@google-cloud/aiplatform";
import type { EndpointServiceClient } from "@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js";

import { nullIfNotFound } from "./errors.ts";
import { sameResource } from "./names.ts";
import { adoptedAlias, aliasInDisplayName, isOurs } from "./ownership.ts";

type IDeployedModel = protos.google.cloud.aiplatform.v1.IDeployedModel;

/** One autoscaling target: a Cloud Monitoring metric and the percentage it is held at. */
export interface AutoscalingMetric {
  readonly metricName: string;
  /** 1 to 100. */
  readonly target: number;
}

/** What is fixed for the life of a deployed model: a change of any of it needs a rollout. */
export interface FixedSpec {
  /** projects/P/locations/L/models/M. */
  readonly modelName: string;
  /** Alias of the model version, `sha-` and 12 hex digits. */
  readonly versionAlias: string;
  readonly machineType: string;
  /** null: no accelerator. */
  readonly acceleratorType: string | null;
  readonly acceleratorCount: number;
  readonly spot: boolean;
  /** Account that the container runs as; null: a Google-managed one. */
  readonly serviceAccount: string | null;
}

/** What Vertex changes in place (MutateDeployedModel). */
export interface ScalingSpec {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Empty: the platform's own targets. */
  readonly autoscaling: readonly AutoscalingMetric[];
}

export interface DeployedModel extends FixedSpec, ScalingSpec {
  readonly id: string;
  readonly displayName: string;
  /** Share of the endpoint's requests, 0 to 100. */
  readonly traffic: number;
}

/** An endpoint as it is: this stack's deployed models, everybody else's, and the split. */
export interface ObservedEndpoint {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ours: readonly DeployedModel[];
  readonly foreign: readonly DeployedModel[];
  readonly trafficSplit: Readonly<Record<string, number>>;
  /** Host of a dedicated endpoint, without a scheme; null for a shared one. */
  readonly dedicatedDns: string | null;
}

/** Reads the endpoint; null when it does not exist. */
export async function observeEndpoint(
  client: EndpointServiceClient,
  name: string,
  stackUid: string,
): Promise<ObservedEndpoint | null> {
  const found = await client.getEndpoint({ name }).catch(nullIfNotFound);
  if (found === null) return null;
  const [endpoint] = found;
  const trafficSplit = endpoint.trafficSplit ?? {};
  const aliasOf = (model: IDeployedModel) =>
    aliasInDisplayName(model.displayName ?? "", stackUid) ??
    adoptedAlias(endpoint.labels, stackUid, model.id ?? "");
  const all = (endpoint.deployedModels ?? []).map((model) =>
    toDeployedModel(model, trafficSplit, aliasOf(model) ?? ""),
  );
  return {
    name,
    labels: endpoint.labels ?? {},
    ours: all.filter((model) => model.versionAlias !== ""),
    foreign: all.filter((model) => model.versionAlias === ""),
    trafficSplit,
    dedicatedDns: endpoint.dedicatedEndpointEnabled
      ? (endpoint.dedicatedEndpointDns ?? "").replace(/^https:\/\//, "") || null
      : null,
  };
}

/** Whether the endpoint bears this stack's mark. */
export function endpointIsOurs(endpoint: ObservedEndpoint, stackUid: string): boolean {
  return isOurs(endpoint.labels, stackUid);
}

/** A deployed model as the reconcilers see it; `versionAlias` is empty when it is not this stack's. */
export function toDeployedModel(
  model: IDeployedModel,
  trafficSplit: Record<string, number>,
  versionAlias: string,
): DeployedModel {
  const resources = model.dedicatedResources;
  const machine = resources?.machineSpec;
  const accelerator = machine?.acceleratorType;
  const id = model.id ?? "";
  return {
    id,
    displayName: model.displayName ?? "",
    traffic: trafficSplit[id] ?? 0,
    modelName: model.model ?? "",
    versionAlias,
    machineType: machine?.machineType ?? "",
    acceleratorType:
      typeof accelerator === "string" && accelerator !== "ACCELERATOR_TYPE_UNSPECIFIED"
        ? accelerator
        : null,
    acceleratorCount: machine?.acceleratorCount ?? 0,
    spot: resources?.spot ?? false,
    serviceAccount: model.serviceAccount ? model.serviceAccount : null,
    minReplicas: resources?.minReplicaCount ?? 0,
    maxReplicas: resources?.maxReplicaCount || (resources?.minReplicaCount ?? 0),
    autoscaling: (resources?.autoscalingMetricSpecs ?? []).map((spec) => ({
      metricName: spec.metricName ?? "",
      target: spec.target ?? 0,
    })),
  };
}

/** Whether a deployed model is what the fixed spec asks for. */
export function servesSpec(deployed: DeployedModel, wanted: FixedSpec): boolean {
  return (
    sameResource(deployed.modelName, wanted.modelName) &&
    deployed.versionAlias === wanted.versionAlias &&
    deployed.machineType === wanted.machineType &&
    deployed.acceleratorType === wanted.acceleratorType &&
    deployed.acceleratorCount === wanted.acceleratorCount &&
    deployed.spot === wanted.spot &&
    deployed.serviceAccount === wanted.serviceAccount
  );
}

/** The split after one deployed model leaves: its share goes to the one that has most, or to any that stays. */
export function splitWithout(
  endpoint: Pick<ObservedEndpoint, "ours" | "foreign">,
  id: string,
): Record<string, number> {
  const staying = [...endpoint.ours, ...endpoint.foreign].filter((model) => model.id !== id);
  const split = Object.fromEntries(
    staying.filter((model) => model.traffic > 0).map((model) => [model.id, model.traffic]),
  );
  const missing = 100 - Object.values(split).reduce((sum, share) => sum + share, 0);
  const heir = [...staying].sort((a, b) => b.traffic - a.traffic)[0];
  if (heir !== undefined && missing > 0) split[heir.id] = (split[heir.id] ?? 0) + missing;
  return split;
}
