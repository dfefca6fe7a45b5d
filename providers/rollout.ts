import { createHash } from "node:crypto";

import type { EndpointServiceClient } from "@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js";

import { compare } from "./changes.ts";
import { endpointClient, modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { observeEndpoint, servesSpec, splitWithout } from "./deployed.ts";
import type { DeployedModel, ObservedEndpoint } from "./deployed.ts";
import type { ModelDeploymentInputs } from "./deployment.ts";
import { ReconcileError } from "./errors.ts";
import type { PendingOperation } from "./errors.ts";
import { lastSegment, locationOf } from "./names.ts";
import { accept, waitFor, waitForEnd, waitForRunning } from "./operations.ts";
import type { WaitOptions } from "./operations.ts";
import { deployedDisplayName, requireOurs } from "./ownership.ts";
import { retrying } from "./retry.ts";
import { ENDPOINT_OPERATIONS } from "./undeploy.ts";
import { listVersions, versionWithAlias } from "./versions.ts";

/**
 * Brings the endpoint to the wanted deployment without losing a request (`surge`): the new model is deployed beside the
 * old one without traffic, then gets all of it, then the old one is undeployed. Replica settings change in place. Each
 * cycle observes first, so it goes on from wherever an earlier one stopped. Aliases and old versions are left to tidyUp.
 */
export async function rollOut(inputs: ModelDeploymentInputs, pending: PendingOperation | null) {
  const client = await endpointClient(
    requireConnection(inputs.emulator),
    locationOf(inputs.endpoint),
  );
  const wait: WaitOptions = {
    timeoutMs: inputs.deployTimeoutSeconds * 1000,
    urn: inputs.progressUrn,
    what: `deployment of "${inputs.versionAlias}" to endpoint "${inputs.endpoint}"`,
  };
  if (pending !== null) await waitForEnd(client, pending, wait);
  const versionId = await resolveVersion(inputs);
  const deployedModelId = await retrying(async () => {
    await waitForRunning(client, inputs.endpoint, ENDPOINT_OPERATIONS, wait);
    const candidate = await ensureDeployed(client, inputs, versionId, wait);
    await ensureReplicas(client, inputs, candidate, wait);
    await ensureAllTraffic(client, inputs, candidate.id);
    await undeployOthers(client, inputs, candidate.id, wait);
    return candidate.id;
  });
  return { deployedModelId, versionId };
}

async function resolveVersion(inputs: ModelDeploymentInputs): Promise<string> {
  const client = await modelClient(
    requireConnection(inputs.emulator),
    locationOf(inputs.modelName),
  );
  const versions = await retrying(() => listVersions(client, inputs.modelName));
  const version = versionWithAlias(versions, inputs.versionAlias);
  if (version?.versionId) return version.versionId;
  throw new ReconcileError(
    `Could not deploy: no version of model "${inputs.modelName}" bears the alias "${inputs.versionAlias}". Run "up" again; it uploads the version first.`,
  );
}

/** The endpoint, refused when it is not this stack's or serves somebody else's model. */
async function observeOurs(
  client: EndpointServiceClient,
  inputs: ModelDeploymentInputs,
): Promise<ObservedEndpoint> {
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
      `Could not deploy to endpoint "${name}": "${foreign.displayName}" (${foreign.id}) was deployed there by somebody else. Undeploy it by hand, then run "up" again.`,
    );
  }
  return endpoint;
}

async function ensureDeployed(
  client: EndpointServiceClient,
  inputs: ModelDeploymentInputs,
  versionId: string,
  wait: WaitOptions,
): Promise<DeployedModel> {
  const before = await observeOurs(client, inputs);
  const existing = before.ours.find((model) => servesSpec(model, inputs));
  if (existing !== undefined) return existing;
  const accepted = await accept("deployModel", () =>
    client.deployModel(toDeployRequest(inputs, versionId, before)),
  );
  await waitFor(client, accepted, wait);
  const after = await observeOurs(client, inputs);
  const deployed = after.ours.find((model) => servesSpec(model, inputs));
  if (deployed !== undefined) return deployed;
  throw new ReconcileError(
    `The ${wait.what} ended, but the endpoint does not serve it. Look at the endpoint in the console, then run "up" again.`,
  );
}

/** DeployModelRequest: without traffic beside what serves already; with all of it where nothing does. */
export function toDeployRequest(
  inputs: ModelDeploymentInputs,
  versionId: string,
  endpoint: ObservedEndpoint,
) {
  const { trafficSplit } = endpoint;
  const served = Object.values(trafficSplit).reduce((sum, share) => sum + share, 0) === 100;
  return {
    endpoint: inputs.endpoint,
    deployedModel: {
      id: proposedId(inputs, endpoint),
      displayName: deployedDisplayName(
        lastSegment(inputs.modelName),
        inputs.stackUid,
        inputs.versionAlias,
      ),
      model: `${inputs.modelName}@${versionId}`,
      ...(inputs.serviceAccount === null ? {} : { serviceAccount: inputs.serviceAccount }),
      dedicatedResources: {
        machineSpec: {
          machineType: inputs.machineType,
          ...(inputs.acceleratorType === null
            ? {}
            : {
                acceleratorType: inputs.acceleratorType as "NVIDIA_TESLA_T4",
                acceleratorCount: inputs.acceleratorCount,
              }),
        },
        minReplicaCount: inputs.minReplicas,
        maxReplicaCount: inputs.maxReplicas,
        autoscalingMetricSpecs: [...inputs.autoscaling],
        spot: inputs.spot,
      },
    },
    trafficSplit: served ? { ...trafficSplit, "0": 0 } : { "0": 100 },
  };
}

/** Ten digits from the deployment's content, the next ones when an id is taken. Opaque: nothing is read from it. */
function proposedId(inputs: ModelDeploymentInputs, endpoint: ObservedEndpoint): string {
  const taken = new Set([...endpoint.ours, ...endpoint.foreign].map((model) => model.id));
  for (let salt = 0; ; salt += 1) {
    const hash = createHash("sha256")
      .update(
        JSON.stringify([
          inputs.stackUid,
          inputs.modelName,
          inputs.versionAlias,
          inputs.machineType,
          inputs.acceleratorType,
        ]),
      )
      .update(JSON.stringify([inputs.acceleratorCount, inputs.spot, inputs.serviceAccount, salt]))
      .digest();
    const id = String(1_000_000_000 + (hash.readUInt32BE(0) % 9_000_000_000));
    if (!taken.has(id)) return id;
  }
}

async function ensureReplicas(
  client: EndpointServiceClient,
  inputs: ModelDeploymentInputs,
  deployed: DeployedModel,
  wait: WaitOptions,
): Promise<void> {
  const rows = { minReplicas: "update", maxReplicas: "update", autoscaling: "update" } as const;
  const observed = inputs.autoscaling.length === 0 ? { ...deployed, autoscaling: [] } : deployed;
  const wanted = {
    minReplicas: inputs.minReplicas,
    maxReplicas: inputs.maxReplicas,
    autoscaling: inputs.autoscaling,
  };
  if (!compare(rows, observed, wanted).changes) return;
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

async function ensureAllTraffic(
  client: EndpointServiceClient,
  inputs: ModelDeploymentInputs,
  id: string,
): Promise<void> {
  const endpoint = await observeOurs(client, inputs);
  if (endpoint.trafficSplit[id] === 100) return;
  await client.updateEndpoint({
    endpoint: { name: inputs.endpoint, trafficSplit: { [id]: 100 } },
    updateMask: { paths: ["traffic_split"] },
  });
}

async function undeployOthers(
  client: EndpointServiceClient,
  inputs: ModelDeploymentInputs,
  id: string,
  wait: WaitOptions,
): Promise<void> {
  for (;;) {
    const endpoint = await observeOurs(client, inputs);
    const other = endpoint.ours.find((model) => model.id !== id);
    if (other === undefined) return;
    const accepted = await accept("undeployModel", () =>
      client.undeployModel({
        endpoint: inputs.endpoint,
        deployedModelId: other.id,
        trafficSplit: splitWithout(endpoint, other.id),
      }),
    );
    await waitFor(client, accepted, { ...wait, what: `undeployment of "${other.displayName}"` });
  }
}
