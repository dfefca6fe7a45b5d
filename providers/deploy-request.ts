import { createHash } from "node:crypto";

import type { ObservedEndpoint } from "./deployed.ts";
import type { ModelDeploymentInputs } from "./deployment.ts";
import { lastSegment } from "./names.ts";
import { deployedDisplayName } from "./ownership.ts";

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
