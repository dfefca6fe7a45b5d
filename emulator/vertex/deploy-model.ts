import { ApiError } from "../errors.ts";
import { checkRunnable } from "../runtime/images.ts";
import { ServerStartError } from "../runtime/server-process.ts";
import { ARCHIVE } from "./artifacts.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { toServerSpec } from "./container.ts";
import { getEndpoint, isDedicated, regionOf, serverIdOf, withoutId } from "./endpoints.ts";
import { checkResources } from "./machines.ts";
import { findVersion, getModel, resolveModel } from "./models.ts";
import { checkDeployedModelId, checkDisplayName, generateId } from "./names.ts";
import type { Progress } from "./operations.ts";
import { checkSplit, isEmptySplit, NEW_MODEL_KEY, withNewModel } from "./traffic.ts";
import type {
  DedicatedResources,
  DeployedModelDocument,
  DeployedRecord,
  Document,
  EndpointRecord,
  TrafficSplit,
} from "./types.ts";

const STAGES_BEFORE_START = [
  "STARTING_DEPLOYMENT",
  "PREPARING_MODEL",
  "CREATING_SERVING_CLUSTER",
  "ADDING_NODES_TO_CLUSTER",
  "GETTING_CONTAINER_IMAGE",
] as const;
/** Only the service sets these. */
const OUTPUT_ONLY: readonly string[] = [
  "createTime",
  "modelVersionId",
  "privateEndpoints",
  "status",
];
/** Previews of v1beta1 that nothing here would act on: refused rather than ignored. */
const NOT_SERVED: readonly string[] = ["rolloutOptions", "fullFineTunedResources"];
const RESOURCES_NOT_SERVED: readonly string[] = [
  ...["scaleToZeroSpec", "initialReplicaCount", "flexStart"],
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
      await startServer(cloud, endpoint, deployed, progress);
      await progress.stage("STARTING_MODEL_SERVER");
      await progress.stage("FINISHING_UP");
      const document = finishDeployment(cloud, endpoint.name, deployed, split);
      return { deployedModel: document as Document };
    },
    onFailure: async () => {
      await cloud.servers.stop(serverIdOf(endpoint, deployed.id), { drainMs: 0 });
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
  checkServed(given);
  if (given.displayName !== undefined) {
    checkDisplayName(given.displayName, "deployed_model.display_name");
  }
  const { model, version } = resolveModel(cloud, given.model);
  if (given.dedicatedResources === undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `deployed_model.dedicated_resources is required: Model "${model.name}" supports only DEDICATED_RESOURCES.`,
    );
  }
  if (version.containerSpec.invokeRoutePrefix !== undefined && !isDedicated(endpoint)) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `Model "${model.name}@${version.versionId}" has an invoke_route_prefix: it can be deployed to a dedicated Endpoint only.`,
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
    ...Object.fromEntries(Object.entries(given).filter(([field]) => !OUTPUT_ONLY.includes(field))),
    id,
    model: model.name,
    modelVersionId: version.versionId,
    displayName: given.displayName ?? model.displayName,
    createTime: cloud.now(),
    dedicatedResources: checkResources(given.dedicatedResources, regionOf(endpoint)),
  };
  return { id, document, model: model.name, versionId: version.versionId };
}

function checkServed(given: DeployedModelDocument): void {
  const field =
    NOT_SERVED.find((one) => given[one] !== undefined) ??
    RESOURCES_NOT_SERVED.find((one) => given.dedicatedResources?.[one] !== undefined);
  if (field === undefined) return;
  throw new ApiError(
    "UNIMPLEMENTED",
    `The emulator does not implement deployed_model.${field}, a preview of v1beta1.`,
  );
}

/** Everything that takes quota in the endpoint's region: what is deployed and what is being deployed. */
export function deployedInRegion(cloud: Cloud, endpoint: EndpointRecord): DeployedModelDocument[] {
  return cloud.endpoints
    .list()
    .filter((one) => regionOf(one) === regionOf(endpoint))
    .flatMap((one) => [...one.deployed, ...one.deploying])
    .map((one) => one.document);
}

function checkImage(cloud: Cloud, deployed: DeployedRecord): void {
  const version = findVersion(getModel(cloud, deployed.model), deployed.versionId);
  const kind = checkRunnable(version.containerSpec.imageUri ?? "");
  if (kind === "custom" || version.artifactFolder !== "") return;
  throw new ApiError(
    "FAILED_PRECONDITION",
    `Model "${deployed.model}@${deployed.versionId}" has no artifact_uri: its container image expects "${ARCHIVE}" there.`,
  );
}

async function startServer(
  cloud: Cloud,
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
  progress: Progress,
): Promise<void> {
  const stop = (): void => {
    void cloud.servers.stop(serverIdOf(endpoint, deployed.id), { drainMs: 0 });
  };
  progress.signal.addEventListener("abort", stop, { once: true });
  try {
    await cloud.servers.start(toServerSpec(cloud, endpoint, deployed));
  } catch (error) {
    progress.signal.throwIfAborted();
    if (!(error instanceof ServerStartError)) throw error;
    throw new ApiError("FAILED_PRECONDITION", `Error: ${error.message}`);
  } finally {
    progress.signal.removeEventListener("abort", stop);
  }
}

function finishDeployment(
  cloud: Cloud,
  name: string,
  deployed: DeployedRecord,
  split: TrafficSplit,
): DeployedModelDocument {
  const present = getEndpoint(cloud, name);
  const document = {
    ...deployed.document,
    status: statusOf(cloud, deployed.document.dedicatedResources),
  };
  cloud.endpoints.put({
    ...present,
    deployed: [...present.deployed, { ...deployed, document }],
    deploying: withoutId(present.deploying, deployed.id),
    // Without a split the traffic stays as it was: a first model gets none.
    trafficSplit: isEmptySplit(split) ? present.trafficSplit : withNewModel(split, deployed.id),
  });
  return document;
}

/** One process answers, and counts as all the replicas that were asked for. */
export function statusOf(cloud: Cloud, resources: DedicatedResources | undefined): Document {
  return {
    lastUpdateTime: cloud.now(),
    availableReplicaCount: resources?.minReplicaCount ?? 1,
  };
}
