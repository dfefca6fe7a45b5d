import { L4 } from "./light-cloud.ts";
import { PARENT, pickId, refusalsOf } from "./property-call.ts";
import type { ExpectedCall } from "./property-call.ts";
import { resolveSplit } from "./property-splits.ts";
import type { SplitParams } from "./property-splits.ts";
import {
  addUp,
  deployingOf,
  findVersion,
  gpusInUse,
  GPU_LIMIT,
  isBusy,
} from "./property-reference.ts";
import type { ExpectedDeployed, ReferenceCloud } from "./property-reference.ts";

export interface EndpointParams {
  readonly endpoint: number;
}

function toEndpoint(cloud: ReferenceCloud, { endpoint }: EndpointParams) {
  const id = pickId("endpoints", endpoint, cloud.endpoints);
  return { id, target: `endpoints/${id}`, record: cloud.endpoints[id] };
}

export interface CreateEndpointParams {
  /** undefined = the emulator chooses the id. */
  readonly endpoint: number | undefined;
  readonly flaw?: "bad id" | "no name" | "with split";
}

export function createEndpoint(cloud: ReferenceCloud, params: CreateEndpointParams): ExpectedCall {
  const { flaw } = params;
  const own = params.endpoint === undefined ? undefined : pickId("endpoints", params.endpoint, {});
  const id = flaw === "bad id" ? "0100" : own;
  const target = id === undefined ? undefined : `endpoints/${id}`;
  return {
    method: "CreateEndpoint",
    verb: "POST",
    path: `endpoints${id === undefined ? "" : `?endpointId=${id}`}`,
    body: {
      ...(flaw === "no name" ? {} : { displayName: "an endpoint" }),
      ...(flaw === "with split" ? { trafficSplit: { "1": 100 } } : {}),
    },
    target,
    refusals: refusalsOf(
      [flaw !== undefined, "INVALID_ARGUMENT"],
      [id !== undefined && cloud.endpoints[id] !== undefined, "ALREADY_EXISTS"],
      [target !== undefined && isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stagesLeft: 1,
      end: (response) => {
        const name = id ?? String(response["name"]).replace(/^.*\//, "");
        cloud.endpoints[name] = { displayName: "an endpoint", deployed: [], split: {} };
        return undefined;
      },
    },
  };
}

export function deleteEndpoint(cloud: ReferenceCloud, params: EndpointParams): ExpectedCall {
  const { id, target, record } = toEndpoint(cloud, params);
  return {
    method: "DeleteEndpoint",
    verb: "DELETE",
    path: target,
    target,
    refusals: refusalsOf(
      [record === undefined, "NOT_FOUND"],
      [(record?.deployed.length ?? 0) > 0, "FAILED_PRECONDITION"],
      [isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stagesLeft: 1,
      end: () => {
        delete cloud.endpoints[id];
        return undefined;
      },
    },
  };
}

export interface UpdateEndpointParams extends EndpointParams {
  readonly mask: "displayName" | "traffic_split" | "dedicated_endpoint_enabled" | "";
  readonly text: string;
  readonly split: SplitParams;
  readonly etag: "present" | "stale" | undefined;
}

export function updateEndpoint(
  cloud: ReferenceCloud,
  params: UpdateEndpointParams,
  presentEtag: (path: string) => string | undefined,
): ExpectedCall {
  const { target, record } = toEndpoint(cloud, params);
  const { mask, text } = params;
  const ids = record?.deployed.map((one) => one.id) ?? [];
  const split = resolveSplit(params.split, ids);
  const etag = params.etag === "stale" ? "stale" : presentEtag(target);
  const changesSplit = mask === "traffic_split";
  return {
    method: "UpdateEndpoint",
    verb: "PATCH",
    path: `${target}?updateMask=${mask}`,
    body: {
      ...(mask === "displayName" ? { displayName: text } : { trafficSplit: split }),
      ...(params.etag === undefined ? {} : { etag }),
    },
    target,
    refusals: refusalsOf(
      [record === undefined, "NOT_FOUND"],
      [mask === "" || mask === "dedicated_endpoint_enabled", "INVALID_ARGUMENT"],
      [mask === "displayName" && (text === "" || text.length > 128), "INVALID_ARGUMENT"],
      [changesSplit && isBadSplit(split, ids), "INVALID_ARGUMENT"],
      [params.etag === "stale", "ABORTED"],
    ),
    apply: () => {
      if (record === undefined) return;
      if (changesSplit) record.split = split;
      else record.displayName = text;
    },
  };
}

/** Not empty, and no whole percents that total 100 over these ids. */
function isBadSplit(split: Readonly<Record<string, number>>, ids: readonly string[]): boolean {
  const entries = Object.entries(split);
  if (entries.length === 0) return false;
  return (
    addUp(split) !== 100 ||
    entries.some(([id, percent]) => !ids.includes(id) || percent < 0 || percent > 100)
  );
}

export interface DeployParams extends EndpointParams {
  readonly model: number;
  readonly version: string | undefined;
  /** undefined = the emulator chooses it. */
  readonly id: string | undefined;
  readonly split: SplitParams;
  readonly maxReplicas: number;
  readonly flaw?: "no resources" | "wrong machine" | "bad id";
}

const STAGES = [
  ...["STARTING_DEPLOYMENT", "PREPARING_MODEL", "CREATING_SERVING_CLUSTER"],
  ...["ADDING_NODES_TO_CLUSTER", "GETTING_CONTAINER_IMAGE"],
  ...["STARTING_MODEL_SERVER", "FINISHING_UP"],
] as const;
const STAGES_WITH_SERVER = 2;
const STAGES_TO_IMAGE = 5;

export function deployModel(cloud: ReferenceCloud, params: DeployParams): ExpectedCall {
  const { id: endpoint, target, record } = toEndpoint(cloud, params);
  const { flaw, maxReplicas } = params;
  const id = flaw === "bad id" ? "12345678901" : params.id;
  const model = pickId("models", params.model, cloud.models);
  const version = findVersion(cloud.models[model], params.version);
  const ids = record?.deployed.map((one) => one.id) ?? [];
  const coming = deployingOf(cloud, endpoint).map((one) => one.id);
  const split = resolveSplit(params.split, ["0", ...ids]);
  const isRunnable = version?.isRunnable === true;
  const deploying = { id, model, versionId: version?.id ?? "", maxReplicas };
  return {
    method: "DeployModel",
    verb: "POST",
    path: `${target}:deployModel`,
    body: {
      deployedModel: {
        ...(id === undefined ? {} : { id }),
        model: `${PARENT}/models/${model}${params.version === undefined ? "" : `@${params.version}`}`,
        ...(flaw === "no resources"
          ? {}
          : { dedicatedResources: toResources(maxReplicas, flaw === "wrong machine") }),
      },
      ...(params.split.kind === "none" ? {} : { trafficSplit: split }),
    },
    target,
    refusals: refusalsOf(
      [record === undefined, "NOT_FOUND"],
      [version === undefined, "NOT_FOUND"],
      [flaw !== undefined, "INVALID_ARGUMENT"],
      [id !== undefined && [...ids, ...coming].includes(id), "ALREADY_EXISTS"],
      [isBadSplit(split, ["0", ...ids]), "INVALID_ARGUMENT"],
      [gpusInUse(cloud) + maxReplicas > GPU_LIMIT, "RESOURCE_EXHAUSTED"],
      [isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stages: isRunnable ? STAGES : STAGES.slice(0, STAGES_TO_IMAGE),
      stagesLeft: isRunnable ? STAGES.length : STAGES_TO_IMAGE,
      ...(isRunnable ? { stagesWithServer: STAGES_WITH_SERVER } : {}),
      deploying,
      end: (response) => {
        const present = cloud.endpoints[endpoint];
        if (present === undefined) return "NOT_FOUND";
        if (!isRunnable) return "FAILED_PRECONDITION";
        const deployed: ExpectedDeployed = {
          ...deploying,
          id: id ?? String((response["deployedModel"] as { id?: string } | undefined)?.id),
        };
        present.deployed.push(deployed);
        if (Object.keys(split).length > 0) present.split = replaceZero(split, deployed.id);
        return undefined;
      },
    },
  };
}

function toResources(maxReplicaCount: number, isWrong: boolean): unknown {
  return {
    ...L4,
    machineSpec: { ...L4.machineSpec, ...(isWrong ? { acceleratorCount: 3 } : {}) },
    maxReplicaCount,
  };
}

function replaceZero(split: Readonly<Record<string, number>>, id: string): Record<string, number> {
  return Object.fromEntries(
    Object.entries(split).map(([key, percent]) => [key === "0" ? id : key, percent]),
  );
}

export interface DeployedParams extends EndpointParams {
  /** Position among the endpoint's deployed models; beyond them, one that is not there. */
  readonly position: number;
}

function toDeployed(cloud: ReferenceCloud, params: DeployedParams) {
  const found = toEndpoint(cloud, params);
  const deployed = found.record?.deployed[params.position];
  return { ...found, deployed, deployedId: deployed?.id ?? "404" };
}

export interface UndeployParams extends DeployedParams {
  readonly split: SplitParams;
  /** Whether the split still names the leaving model. */
  readonly namesLeaving: boolean;
}

export function undeployModel(cloud: ReferenceCloud, params: UndeployParams): ExpectedCall {
  const { id, target, record, deployed, deployedId } = toDeployed(cloud, params);
  const left = record?.deployed.map((one) => one.id).filter((one) => one !== deployedId) ?? [];
  const given = resolveSplit(params.split, params.namesLeaving ? [deployedId, ...left] : left);
  const { [deployedId]: leavingShare = 0, ...rest } = given;
  const isGiven = Object.keys(given).length > 0;
  const isLast = left.length === 0;
  const shareOf = (): number =>
    isGiven ? leavingShare : (cloud.endpoints[id]?.split[deployedId] ?? 0);
  return {
    method: "UndeployModel",
    verb: "POST",
    path: `${target}:undeployModel`,
    body: { deployedModelId: deployedId, ...(isGiven ? { trafficSplit: given } : {}) },
    target,
    refusals: refusalsOf(
      [deployed === undefined, "NOT_FOUND"],
      // Undeploying the last model always ends with an empty split, whatever was given.
      [!isLast && isGiven && (addUp(rest) !== 100 || isBadSplit(rest, left)), "INVALID_ARGUMENT"],
      [!isLast && shareOf() > 0, "FAILED_PRECONDITION"],
      [isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stagesLeft: 1,
      end: () => {
        const present = cloud.endpoints[id];
        if (present === undefined) return "NOT_FOUND";
        // The split may have been changed meanwhile.
        if (!isLast && shareOf() > 0) return "FAILED_PRECONDITION";
        present.deployed = present.deployed.filter((one) => one.id !== deployedId);
        const { [deployedId]: _gone, ...kept } = isGiven ? given : present.split;
        present.split = isLast ? {} : kept;
        return undefined;
      },
    },
  };
}

export interface MutateParams extends DeployedParams {
  readonly maxReplicas: number;
  readonly mask: "dedicated_resources.max_replica_count" | "machine_spec" | "";
}

export function mutateDeployedModel(cloud: ReferenceCloud, params: MutateParams): ExpectedCall {
  const { id, target, deployed, deployedId } = toDeployed(cloud, params);
  const { maxReplicas, mask } = params;
  const isOver = (): boolean =>
    gpusInUse(cloud, { endpoint: id, id: deployedId }) + maxReplicas > GPU_LIMIT;
  return {
    method: "MutateDeployedModel",
    verb: "POST",
    path: `${target}:mutateDeployedModel`,
    body: {
      deployedModel: { id: deployedId, dedicatedResources: { maxReplicaCount: maxReplicas } },
      updateMask: mask,
    },
    target,
    refusals: refusalsOf(
      [deployed === undefined, "NOT_FOUND"],
      [mask === "machine_spec" || mask === "", "INVALID_ARGUMENT"],
      [maxReplicas < 1, "INVALID_ARGUMENT"],
      [isOver(), "RESOURCE_EXHAUSTED"],
      [isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stagesLeft: 1,
      end: () => {
        const present = cloud.endpoints[id]?.deployed.find((one) => one.id === deployedId);
        if (present === undefined) return "NOT_FOUND";
        // Others may have taken the GPUs meanwhile.
        if (isOver()) return "RESOURCE_EXHAUSTED";
        present.maxReplicas = maxReplicas;
        return undefined;
      },
    },
  };
}
