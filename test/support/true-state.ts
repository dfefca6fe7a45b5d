import type { StackProject } from "./stack-project.ts";
import { rest } from "./vertex-rest.ts";

/** Fields of what a stack recorded, and of what the local cloud holds under the recorded names. */
export interface StateAndCloud {
  readonly state: Readonly<Record<string, unknown>>;
  readonly cloud: Readonly<Record<string, unknown>>;
}

/** What a stack's state says of its archive, model, endpoint and deployment, beside what the cloud says of them. */
export async function stateAndCloud(stack: StackProject): Promise<StateAndCloud> {
  const outputsOf = async (type: string) => (await stack.resource(type)).outputs;
  const archive = await outputsOf("ArchiveUpload");
  const model = await outputsOf("VertexModel");
  const endpoint = await outputsOf("AiEndpoint");
  const deployment = await outputsOf("ModelDeployment");
  const get = async (path: string) => (await rest(stack.emulator.address.rest, "GET", path)).body;
  const object = `archives/${String(archive["digest"])}/model.mar`;
  const storedObject = await get(
    `/storage/v1/b/${String(archive["bucket"])}/o/${encodeURIComponent(object)}`,
  );
  const storedModel = await get(
    `/v1/${String(model["modelName"])}@${String(model["versionAlias"])}`,
  );
  const storedEndpoint = await get(`/v1/${String(deployment["endpoint"])}`);
  const [served] = storedEndpoint["deployedModels"] as ServedModel[];
  return {
    state: {
      crc32c: archive["crc32c"],
      displayName: model["displayName"],
      labels: model["labels"],
      versionId: model["versionId"],
      endpointDisplayName: endpoint["displayName"],
      endpointLabels: endpoint["labels"],
      deployedModelId: deployment["deployedModelId"],
      deployedVersion: deployment["versionId"],
      replicas: [deployment["minReplicas"], deployment["maxReplicas"]],
      trafficSplit: { [String(deployment["deployedModelId"])]: 100 },
      drift: [archive["drift"], model["drift"], deployment["drift"]],
      pending: [archive["pending"], model["pending"], deployment["pending"]],
    },
    cloud: {
      crc32c: storedObject["crc32c"],
      displayName: storedModel["displayName"],
      labels: without(storedModel["labels"], /^managed-by$|^vertex-diffusion-stack$/),
      versionId: storedModel["versionId"],
      endpointDisplayName: storedEndpoint["displayName"],
      endpointLabels: without(storedEndpoint["labels"], /^goog-/),
      deployedModelId: served?.id,
      deployedVersion: served?.modelVersionId,
      replicas: [
        served?.dedicatedResources.minReplicaCount,
        served?.dedicatedResources.maxReplicaCount,
      ],
      trafficSplit: storedEndpoint["trafficSplit"],
      drift: [null, null, null],
      pending: [null, null, null],
    },
  };
}

interface ServedModel {
  readonly id: string;
  readonly modelVersionId: string;
  readonly dedicatedResources: {
    readonly minReplicaCount: number;
    readonly maxReplicaCount: number;
  };
}

function without(labels: unknown, names: RegExp): Record<string, unknown> {
  return Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => !names.test(key)));
}
