import { createHash } from "node:crypto";
import { ApiError } from "../errors.ts";
import type { Cloud } from "./cloud.ts";
import { parseModelName } from "./names.ts";
import type {
  DeployedRecord,
  Document,
  EndpointRecord,
  ModelRecord,
  VersionRecord,
} from "./types.ts";

export const DEFAULT_ALIAS = "default";

/** Throws NOT_FOUND. */
export function getModel(cloud: Cloud, name: string): ModelRecord {
  const model = cloud.models.get(name);
  if (model === undefined) throw new ApiError("NOT_FOUND", `The Model "${name}" does not exist.`);
  return model;
}

/** The version that "@2", "@alias" or nothing (the default version) names. Throws NOT_FOUND. */
export function findVersion(model: ModelRecord, version: string | undefined): VersionRecord {
  const wanted = version ?? DEFAULT_ALIAS;
  const found = model.versions.find(
    (one) => one.versionId === wanted || one.aliases.includes(wanted),
  );
  if (found !== undefined) return found;
  throw new ApiError("NOT_FOUND", `The Model "${model.name}@${wanted}" does not exist.`);
}

/** Model and version of a resource name with or without "@". */
export function resolveModel(
  cloud: Cloud,
  name: string | undefined,
): { model: ModelRecord; version: VersionRecord; isVersioned: boolean } {
  const reference = parseModelName(name);
  const model = getModel(cloud, reference.name);
  const version = findVersion(model, reference.version);
  return { model, version, isVersioned: reference.version !== undefined };
}

/** Where a model, or one version of it, is deployed or being deployed. */
export function findDeployments(
  cloud: Cloud,
  name: string,
  versionId?: string,
): { endpoint: EndpointRecord; deployed: DeployedRecord }[] {
  return cloud.endpoints.list().flatMap((endpoint) =>
    [...endpoint.deployed, ...endpoint.deploying]
      .filter((one) => one.model === name)
      .filter((one) => versionId === undefined || one.versionId === versionId)
      .map((deployed) => ({ endpoint, deployed })),
  );
}

/** Changes the versions of a model; none of them is changed twice in one call. */
export function putVersions(
  cloud: Cloud,
  model: ModelRecord,
  change: (version: VersionRecord) => VersionRecord,
): ModelRecord {
  return cloud.models.put({ ...model, versions: model.versions.map(change) });
}

/**
 * The Model that GetModel answers; the container spec is input only and stays inside. `isVersioned`: the name carries the
 * version, as Google's Python SDK expects of a model that was asked for by version.
 */
export function toModelDocument(
  cloud: Cloud,
  model: ModelRecord,
  version: VersionRecord,
  isVersioned: boolean,
): Document {
  const document: Document = {
    ...version.rest,
    name: isVersioned ? `${model.name}@${version.versionId}` : model.name,
    versionId: version.versionId,
    versionAliases: [...version.aliases],
    versionCreateTime: version.createTime,
    versionUpdateTime: version.updateTime,
    displayName: model.displayName,
    description: model.description,
    versionDescription: version.description,
    artifactUri: version.artifactUri,
    supportedDeploymentResourcesTypes: ["DEDICATED_RESOURCES"],
    createTime: model.createTime,
    updateTime: model.updateTime,
    labels: { ...model.labels, ...version.labels },
    deployedModels: findDeployments(cloud, model.name, version.versionId)
      .filter(({ endpoint, deployed }) => endpoint.deployed.includes(deployed))
      .map(({ endpoint, deployed }) => ({ endpoint: endpoint.name, deployedModelId: deployed.id })),
  };
  return { ...document, etag: modelEtag(document, model) };
}

/** Of what belongs to the model itself: by whichever of its names, wherever it is deployed, whatever its other versions are. */
function modelEtag(document: Document, model: ModelRecord): string {
  return etagOf({ ...document, name: model.name, deployedModels: [] });
}

/** Changes whenever the record does. */
export function etagOf(record: unknown): string {
  return createHash("sha256").update(JSON.stringify(record)).digest("base64").slice(0, 28);
}

/** Throws ABORTED when the caller's etag is not the present one; no etag = overwrite. */
export function checkEtag(given: string | undefined, present: string, what: string): void {
  if (given === undefined || given === present) return;
  throw new ApiError(
    "ABORTED",
    `${what} has changed since etag "${given}" was read. Read it again and repeat the change.`,
  );
}
