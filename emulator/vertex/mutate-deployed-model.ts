import type { Cloud, MethodCall } from "./cloud.ts";
import { deployedInRegion, statusOf } from "./deploy-model.ts";
import { getDeployed, getEndpoint, regionOf } from "./endpoints.ts";
import { checkReplicas } from "./machines.ts";
import type { DeployedModelDocument, DeployedRecord, Document } from "./types.ts";
import { readMask } from "./update-mask.ts";

const MUTABLE: readonly string[] = [
  ...["minReplicaCount", "maxReplicaCount", "requiredReplicaCount", "autoscalingMetricSpecs"],
  ...["disableContainerLogging", "enableContainerLogging"],
];

/** Changes the few fields of a deployed model that need no new deployment. */
export async function mutateDeployedModel(
  cloud: Cloud,
  request: {
    readonly endpoint?: string;
    readonly deployedModel?: DeployedModelDocument;
    readonly updateMask?: string;
  },
  call: MethodCall,
): Promise<Document> {
  const endpoint = getEndpoint(cloud, request.endpoint);
  const given = request.deployedModel ?? {};
  const deployed = getDeployed(endpoint, given.id);
  const mutated = mutate(deployed, given, request.updateMask);
  const checkQuota = (): void => {
    const others = deployedInRegion(cloud, endpoint).filter((one) => one !== deployed.document);
    cloud.quotas.check(regionOf(endpoint), others, mutated);
  };
  checkQuota();
  cloud.operations.checkIdle(endpoint.name);
  return cloud.operations.start({
    call,
    method: "EndpointService.MutateDeployedModel",
    under: endpoint.name,
    metadataType: "MutateDeployedModelOperationMetadata",
    responseType: "MutateDeployedModelResponse",
    run: async (progress) => {
      await progress.stage("");
      // Others may have taken the quota since the call.
      checkQuota();
      const document = { ...mutated, status: statusOf(cloud, mutated.dedicatedResources) };
      const present = getEndpoint(cloud, endpoint.name);
      cloud.endpoints.put({
        ...present,
        deployed: present.deployed.map((one) =>
          one.id === deployed.id ? { ...one, document } : one,
        ),
      });
      return { deployedModel: document as Document };
    },
  });
}

function mutate(
  deployed: DeployedRecord,
  given: DeployedModelDocument,
  updateMask: string | undefined,
): DeployedModelDocument {
  const what = `DeployedModel "${deployed.id}"`;
  const bare = (updateMask ?? "").replaceAll("dedicatedResources.", "");
  const paths = readMask(bare, MUTABLE, what);
  const isLogging = (path: string): boolean => path.endsWith("ContainerLogging");
  const present = deployed.document.dedicatedResources ?? {};
  const resources = Object.fromEntries(
    paths
      .filter((path) => !isLogging(path))
      .map((path) => [path, given.dedicatedResources?.[path]] as const),
  );
  const merged = Object.entries({ ...present, ...resources }).filter(
    ([, value]) => value !== undefined,
  );
  return {
    ...deployed.document,
    ...Object.fromEntries(paths.filter(isLogging).map((path) => [path, given[path] ?? false])),
    dedicatedResources: checkReplicas(Object.fromEntries(merged)),
  };
}
