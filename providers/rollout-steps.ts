import type { EndpointServiceClient } from "@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js";

import { compare } from "./changes.ts";
import { toDeployRequest } from "./deploy-request.ts";
import { observeEndpoint, servesSpec, splitWithout } from "./deployed.ts";
import type { DeployedModel, ObservedEndpoint, ScalingSpec } from "./deployed.ts";
import type { ModelDeploymentInputs } from "./deployment.ts";
import { ReconcileError } from "./errors.ts";
import { accept, waitFor, waitForRunning } from "./operations.ts";
import type { WaitOptions } from "./operations.ts";
import { deployerOf, requireOurs } from "./ownership.ts";
import { retrying } from "./retry.ts";
import { declaredLimit } from "./time-limits.ts";
import { ENDPOINT_OPERATIONS } from "./undeploy.ts";

/** One run of a rollout: where, what, and how long to wait. */
export interface Rollout {
  readonly client: EndpointServiceClient;
  readonly inputs: ModelDeploymentInputs;
  /** Number of the version that is rolled out. */
  readonly versionId: string;
  readonly wait: WaitOptions;
}

/** Runs one cycle, and again while it is worth it, each time after what is under way on the endpoint has ended. */
export function settled<T>(rollout: Rollout, cycle: () => Promise<T>): Promise<T> {
  const { client, inputs, wait } = rollout;
  return retrying(async () => {
    await waitForRunning(client, inputs.endpoint, ENDPOINT_OPERATIONS, wait);
    return cycle();
  });
}

/** The endpoint, refused when it is not this stack's or serves somebody else's model. */
export async function observeOurs({ client, inputs }: Rollout): Promise<ObservedEndpoint> {
  const { endpoint: name, stackUid } = inputs;
  const endpoint = await observeEndpoint(client, name, stackUid);
  if (endpoint === null) {
    throw new ReconcileError(
      `Could not deploy: endpoint "${name}" does not exist. Run "up" again; it is made first.`,
    );
  }
  requireOurs(`endpoint "${name}"`, endpoint.labels, stackUid);
  const foreign = endpoint.foreign[0];
  if (foreign !== undefined) {
    throw new ReconcileError(
      `Could not deploy to endpoint "${name}": "${foreign.displayName}" (${foreign.id}) was deployed there by ${deployerOf(foreign.displayName)}. Undeploy it by hand, then run "up" again.`,
    );
  }
  return endpoint;
}

/** The deployed model of the wanted spec: the one that is there, else a new one, without traffic where something serves. */
export async function ensureDeployed(rollout: Rollout): Promise<DeployedModel> {
  const { client, inputs, versionId, wait } = rollout;
  const before = await observeOurs(rollout);
  const existing = before.ours.find((model) => servesSpec(model, inputs));
  if (existing !== undefined) return existing;
  const accepted = await accept("deployModel", () =>
    client.deployModel(toDeployRequest(inputs, versionId, before)),
  );
  await waitFor(client, accepted, wait);
  const after = await observeOurs(rollout);
  const deployed = after.ours.find((model) => servesSpec(model, inputs));
  if (deployed !== undefined) return deployed;
  throw new ReconcileError(
    `The ${wait.what} ended, but the endpoint does not serve it. Look at the endpoint in the console, then run "up" again.`,
  );
}

/** Whether a deployed model has the declared replicas. Without declared targets the platform's own are nobody's. */
export function hasReplicas(deployed: ScalingSpec, wanted: ScalingSpec): boolean {
  const rows = { minReplicas: "update", maxReplicas: "update", autoscaling: "update" } as const;
  const observed = wanted.autoscaling.length === 0 ? { ...deployed, autoscaling: [] } : deployed;
  return !compare(rows, observed, wanted).changes;
}

/** Replicas and autoscaling targets of one deployed model, changed in place. */
export async function ensureReplicas(rollout: Rollout, deployed: DeployedModel): Promise<void> {
  const { client, inputs, wait } = rollout;
  if (hasReplicas(deployed, inputs)) return;
  const accepted = await accept("mutateDeployedModel", () =>
    client.mutateDeployedModel({
      endpoint: inputs.endpoint,
      deployedModel: {
        id: deployed.id,
        dedicatedResources: {
          minReplicaCount: inputs.minReplicas,
          maxReplicaCount: inputs.maxReplicas,
          autoscalingMetricSpecs: [...inputs.autoscaling],
        },
      },
      updateMask: {
        paths: [
          "dedicated_resources.min_replica_count",
          "dedicated_resources.max_replica_count",
          "dedicated_resources.autoscaling_metric_specs",
        ],
      },
    }),
  );
  await waitFor(client, accepted, wait);
}

/** Gives the endpoint this split, ids to percents that total 100, unless it has it. */
export async function ensureTraffic(
  rollout: Rollout,
  split: Readonly<Record<string, number>>,
): Promise<void> {
  const { client, inputs } = rollout;
  const wanted = Object.fromEntries(Object.entries(split).filter(([, share]) => share > 0));
  const { trafficSplit } = await observeOurs(rollout);
  const present = Object.entries(trafficSplit).filter(([, share]) => share > 0);
  const isSame =
    present.length === Object.keys(wanted).length &&
    present.every(([id, share]) => wanted[id] === share);
  if (isSame) return;
  await client.updateEndpoint({
    endpoint: { name: inputs.endpoint, trafficSplit: wanted },
    updateMask: { paths: ["traffic_split"] },
  });
}

/** Undeploys all of this stack's models but those; what they served goes to one that stays. */
export async function undeployOthers(rollout: Rollout, ...keep: readonly string[]): Promise<void> {
  const { client, inputs } = rollout;
  const limit = declaredLimit(inputs, "undeployTimeoutSeconds");
  const urn = inputs.progressUrn;
  for (;;) {
    const endpoint = await observeOurs(rollout);
    const others = endpoint.ours.filter((model) => !keep.includes(model.id));
    const other = others.sort((a, b) => a.traffic - b.traffic)[0];
    if (other === undefined) return;
    const accepted = await accept("undeployModel", () =>
      client.undeployModel({
        endpoint: inputs.endpoint,
        deployedModelId: other.id,
        trafficSplit: splitWithout(endpoint, other.id),
      }),
    );
    const what = `undeployment of "${other.displayName}"`;
    await waitFor(client, accepted, { limit, urn, what });
  }
}
