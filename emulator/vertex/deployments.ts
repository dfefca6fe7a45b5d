import { join } from "node:path";
import { ApiError } from "../errors.ts";
import { checkRunnable } from "../runtime/images.ts";
import type { ServerSpec } from "../runtime/server-pool.ts";
import { ServerStartError } from "../runtime/server-process.ts";
import { ARCHIVE } from "./artifacts.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { containerEnvironment, HEALTH_ROUTE, PREDICT_ROUTE } from "./container.ts";
import { getDeployed, getEndpoint, regionOf, serverIdOf } from "./endpoints.ts";
import { checkReplicas, checkResources } from "./machines.ts";
import { findVersion, getModel, resolveModel } from "./models.ts";
import { checkDeployedModelId, generateId } from "./names.ts";
import { checkSplit, isEmptySplit, NEW_MODEL_KEY, withNewModel } from "./traffic.ts";
import type {
  DeployedModelDocument,
  DeployedRecord,
  Document,
  EndpointRecord,
  TrafficSplit,
} from "./types.ts";
import { readMask } from "./update-mask.ts";

const STAGES_BEFORE_START = [
  "STARTING_DEPLOYMENT",
  "PREPARING_MODEL",
  "CREATING_SERVING_CLUSTER",
  "ADDING_NODES_TO_CLUSTER",
  "GETTING_CONTAINER_IMAGE",
] as const;
const MUTABLE: readonly string[] = [
  ...["minReplicaCount", "maxReplicaCount", "requiredReplicaCount", "autoscalingMetricSpecs"],
  ...["disableContainerLogging", "enableContainerLogging"],
];

/** Deploys a model version to a server process of its own. The operation ends when the model answers, or fails. */
export async function deployModel(
  cloud: Cloud,
  request: {
    readonly endpoint?: string;
    readonly deployedModel?: DeployedModelDocument;
    readonly trafficSplit?: TrafficSplit;
  },
  call: MethodCall,
): Promise<Document> {
  const endpoint = getEndpoint(cloud, request.endpoint);
  const deployed = checkDeployedModel(cloud, endpoint, request.deployedModel ?? {});
  const split = request.trafficSplit ?? {};
  if (!isEmptySplit(split)) {
    checkSplit(split, [NEW_MODEL_KEY, ...endpoint.deployed.map((one) => one.id)]);
  }
  cloud.quotas.check(regionOf(endpoint), deployedInRegion(cloud, endpoint), deployed.document);
  cloud.operations.checkIdle(endpoint.name);
  cloud.endpoints.put({ ...endpoint, deploying: [...endpoint.deploying, deployed] });
  return cloud.operations.start({
    call,
    method: "EndpointService.DeployModel",
    under: endpoint.name,
    metadataType: "DeployModelOperationMetadata",
    metadata: { deploymentStage: "STARTING_DEPLOYMENT" },
    responseType: "DeployModelResponse",
    run: async (progress) => {
      for (const stage of STAGES_BEFORE_START) {
        await progress.stage(stage);
        if (stage === "GETTING_CONTAINER_IMAGE") checkImage(cloud, deployed);
      }
      progress.report("STARTING_MODEL_SERVER");
      await startServer(cloud, endpoint, deployed);
      await progress.stage("STARTING_MODEL_SERVER");
      await progress.stage("FINISHING_UP");
      finishDeployment(cloud, endpoint.name, deployed, split);
      return { deployedModel: deployed.document as Document };
    },
    onFailure: async () => {
      await cloud.servers.stop(serverIdOf(endpoint, deployed.id));
      const present = cloud.endpoints.get(endpoint.name);
      if (present !== undefined) {
        cloud.endpoints.put({ ...present, deploying: withoutId(present.deploying, deployed.id) });
      }
    },
  });
}

function checkDeployedModel(
  cloud: Cloud,
  endpoint: EndpointRecord,
  given: DeployedModelDocument,
): DeployedRecord {
  if (given.model === undefined) {
    throw new ApiError("INVALID_ARGUMENT", "deployed_model.model is required.");
  }
  const { model, version } = resolveModel(cloud, given.model);
  if (given.dedicatedResources === undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `deployed_model.dedicated_resources is required: Model "${model.name}" supports only DEDICATED_RESOURCES.`,
    );
  }
  const id = given.id ?? generateId();
  if (given.id !== undefined) checkDeployedModelId(id);
  if ([...endpoint.deployed, ...endpoint.deploying].some((one) => one.id === id)) {
    throw new ApiError(
      "ALREADY_EXISTS",
      `The DeployedModel "${id}" already exists on Endpoint "${endpoint.name}".`,
    );
  }
  const document: DeployedModelDocument = {
    ...given,
    id,
    model: model.name,
    modelVersionId: version.versionId,
    displayName: given.displayName ?? model.displayName,
    createTime: cloud.now(),
    dedicatedResources: checkResources(given.dedicatedResources, regionOf(endpoint)),
  };
  return { id, document, model: model.name, versionId: version.versionId };
}

function deployedInRegion(cloud: Cloud, endpoint: EndpointRecord): DeployedModelDocument[] {
  return cloud.endpoints
    .list()
    .filter((one) => regionOf(one) === regionOf(endpoint))
    .flatMap((one) => [...one.deployed, ...one.deploying])
    .map((one) => one.document);
}

function checkImage(cloud: Cloud, deployed: DeployedRecord): void {
  const version = findVersion(getModel(cloud, deployed.model), deployed.versionId);
  checkRunnable(version.containerSpec.imageUri ?? "");
  if (version.artifactFolder !== "") return;
  throw new ApiError(
    "FAILED_PRECONDITION",
    `Model "${deployed.model}@${deployed.versionId}" has no artifact_uri: its container image expects "${ARCHIVE}" there.`,
  );
}

async function startServer(
  cloud: Cloud,
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
): Promise<void> {
  try {
    await cloud.servers.start(toServerSpec(cloud, endpoint, deployed));
  } catch (error) {
    if (!(error instanceof ServerStartError)) throw error;
    throw new ApiError("FAILED_PRECONDITION", `Error: ${error.message}`);
  }
}

/** What the process of a deployed model runs on. */
export function toServerSpec(
  cloud: Cloud,
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
): ServerSpec {
  const version = findVersion(getModel(cloud, deployed.model), deployed.versionId);
  return {
    id: serverIdOf(endpoint, deployed.id),
    archive: join(cloud.artifactsDir, version.artifactFolder, ARCHIVE),
    env: containerEnvironment(endpoint, deployed, version),
    healthRoute: version.containerSpec.healthRoute ?? HEALTH_ROUTE,
    predictRoute: version.containerSpec.predictRoute ?? PREDICT_ROUTE,
  };
}

function finishDeployment(
  cloud: Cloud,
  name: string,
  deployed: DeployedRecord,
  split: TrafficSplit,
): void {
  const present = getEndpoint(cloud, name);
  cloud.endpoints.put({
    ...present,
    deployed: [...present.deployed, deployed],
    deploying: withoutId(present.deploying, deployed.id),
    // Without a split the traffic stays as it was: a first model gets none.
    trafficSplit: isEmptySplit(split) ? present.trafficSplit : withNewModel(split, deployed.id),
  });
}

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
  const remaining = withoutId(endpoint.deployed, deployed.id);
  const split = splitAfterUndeploy(endpoint, deployed, remaining, request.trafficSplit);
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

function splitAfterUndeploy(
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
  remaining: readonly DeployedRecord[],
  given: TrafficSplit | undefined,
): TrafficSplit {
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
  const document = mutate(deployed, given, request.updateMask);
  const others = deployedInRegion(cloud, endpoint).filter((one) => one !== deployed.document);
  cloud.quotas.check(regionOf(endpoint), others, document);
  cloud.operations.checkIdle(endpoint.name);
  return cloud.operations.start({
    call,
    method: "EndpointService.MutateDeployedModel",
    under: endpoint.name,
    metadataType: "MutateDeployedModelOperationMetadata",
    responseType: "MutateDeployedModelResponse",
    run: async (progress) => {
      await progress.stage("");
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

function withoutId(records: readonly DeployedRecord[], id: string): DeployedRecord[] {
  return records.filter((one) => one.id !== id);
}
