import { ApiError } from "../errors.ts";
import { copyArtifacts, findArtifacts, removeArtifacts } from "./artifacts.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { filterBy, page } from "./listing.ts";
import type { ListRequest } from "./listing.ts";
import {
  checkEtag,
  DEFAULT_ALIAS,
  etagOf,
  findDeployments,
  findVersion,
  getModel,
  putVersions,
  resolveModel,
  toModelDocument,
} from "./models.ts";
import {
  checkModelId,
  checkVersionAlias,
  generateId,
  parentName,
  parseModelName,
  parseParent,
} from "./names.ts";
import type {
  ContainerSpec,
  Document,
  ModelDocument,
  ModelRecord,
  VersionRecord,
} from "./types.ts";
import { readMask } from "./update-mask.ts";

interface UploadModelRequest {
  readonly parent?: string;
  readonly parentModel?: string;
  readonly modelId?: string;
  readonly model?: ModelDocument;
}

/** Model fields that the record holds by itself or that only the service sets. */
const OWN_FIELDS: readonly string[] = [
  ...["name", "versionId", "versionAliases", "versionCreateTime", "versionUpdateTime"],
  ...["displayName", "description", "versionDescription", "containerSpec", "artifactUri"],
  ...["supportedDeploymentResourcesTypes", "createTime", "updateTime", "deployedModels"],
  ...["etag", "labels", "supportedExportFormats", "supportedInputStorageFormats"],
  "supportedOutputStorageFormats",
];

export async function uploadModel(
  cloud: Cloud,
  request: UploadModelRequest,
  call: MethodCall,
): Promise<Document> {
  const parent = parseParent(request.parent);
  const document = request.model ?? {};
  const container = checkContainer(document);
  const existing = findParentModel(cloud, request);
  const modelId = request.modelId ?? generateId();
  if (existing === undefined && request.modelId !== undefined) checkModelId(modelId);
  const name = existing?.name ?? `${parentName(parent)}/models/${modelId}`;
  if (existing === undefined && cloud.models.get(name) !== undefined) {
    throw new ApiError("ALREADY_EXISTS", `The Model "${name}" already exists.`);
  }
  if (existing === undefined && (document.displayName ?? "") === "") {
    throw new ApiError("INVALID_ARGUMENT", "model.display_name is required.");
  }
  document.versionAliases?.forEach(checkVersionAlias);
  const artifactUri = document.artifactUri ?? "";
  const artifacts =
    artifactUri === ""
      ? undefined
      : findArtifacts(cloud.objects, artifactUri, container.imageUri ?? "");
  cloud.operations.checkIdle(name);
  return cloud.operations.start({
    call,
    method: "ModelService.UploadModel",
    under: name,
    metadataType: "UploadModelOperationMetadata",
    responseType: "UploadModelResponse",
    run: async (progress) => {
      const folder = artifacts === undefined ? "" : await copyArtifacts(cloud, artifacts);
      await progress.stage("");
      const version = addVersion(cloud, name, document, container, folder);
      return { model: name, modelVersionId: version.versionId };
    },
  });
}

function checkContainer(document: ModelDocument): ContainerSpec {
  const container = document.containerSpec;
  if (container?.imageUri === undefined) {
    throw new ApiError("INVALID_ARGUMENT", "model.container_spec.image_uri is required.");
  }
  const reserved = container.env?.find((one) => one.name?.startsWith("AIP_") === true);
  if (reserved !== undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `model.container_spec.env may not set "${reserved.name}": names that begin with AIP_ are set by Vertex AI.`,
    );
  }
  return container;
}

function findParentModel(cloud: Cloud, request: UploadModelRequest): ModelRecord | undefined {
  if (request.parentModel === undefined) return undefined;
  return getModel(cloud, parseModelName(request.parentModel).name);
}

function addVersion(
  cloud: Cloud,
  name: string,
  document: ModelDocument,
  container: ContainerSpec,
  artifactFolder: string,
): VersionRecord {
  const now = cloud.now();
  const present = cloud.models.get(name);
  const versionId = String((present?.lastVersion ?? 0) + 1);
  const asked = document.versionAliases ?? [];
  const aliases = present === undefined ? [...new Set([DEFAULT_ALIAS, ...asked])] : asked;
  const version: VersionRecord = {
    versionId,
    aliases,
    createTime: now,
    updateTime: now,
    description: document.versionDescription ?? "",
    labels: present === undefined ? {} : (document.labels ?? {}),
    containerSpec: container,
    artifactUri: document.artifactUri ?? "",
    artifactFolder,
    rest: Object.fromEntries(
      Object.entries(document).filter(([field]) => !OWN_FIELDS.includes(field)),
    ) as Document,
  };
  // An alias names one version: taken by the new one, it leaves the old.
  const others = (present?.versions ?? []).map((one) => ({
    ...one,
    aliases: one.aliases.filter((alias) => !aliases.includes(alias)),
  }));
  cloud.models.put({
    name,
    displayName: present?.displayName ?? document.displayName ?? "",
    description: present?.description ?? document.description ?? "",
    labels: present?.labels ?? document.labels ?? {},
    createTime: present?.createTime ?? now,
    updateTime: now,
    lastVersion: Number(versionId),
    versions: [...others, version],
  });
  return version;
}

export async function getModelMethod(
  cloud: Cloud,
  request: { readonly name?: string },
): Promise<Document> {
  const { model, version } = resolveModel(cloud, request.name);
  return toModelDocument(cloud, model, version);
}

export async function listModels(
  cloud: Cloud,
  request: ListRequest & { readonly parent?: string },
): Promise<Document> {
  const prefix = `${parentName(parseParent(request.parent))}/models/`;
  const models = cloud.models.list().filter((model) => model.name.startsWith(prefix));
  const found = page(
    filterBy(models, request.filter, ["display_name", "displayName", "model"], readModelField),
    request,
  );
  return {
    models: found.items.map((model) =>
      toModelDocument(cloud, model, findVersion(model, DEFAULT_ALIAS)),
    ),
    nextPageToken: found.nextPageToken,
  };
}

function readModelField(model: ModelRecord, field: string): string | undefined {
  if (field.startsWith("labels.")) return model.labels[field.slice("labels.".length)];
  return field === "model" ? model.name.replace(/^.*\//, "") : model.displayName;
}

export async function listModelVersions(
  cloud: Cloud,
  request: ListRequest & { readonly name?: string },
): Promise<Document> {
  const model = getModel(cloud, parseModelName(request.name).name);
  const versions = filterBy(model.versions, request.filter, [], (version, field) => {
    return version.labels[field.slice("labels.".length)];
  });
  const found = page(versions, request);
  return {
    models: found.items.map((version) => toModelDocument(cloud, model, version)),
    nextPageToken: found.nextPageToken,
  };
}

/** "M@V" updates the version, "M" the model; a field of the other kind is a failed precondition. */
export async function updateModel(
  cloud: Cloud,
  request: { readonly model?: ModelDocument; readonly updateMask?: string },
): Promise<Document> {
  const given = request.model ?? {};
  const reference = parseModelName(given.name);
  const model = getModel(cloud, reference.name);
  const version = findVersion(model, reference.version);
  const changeable = ["displayName", "description", "versionDescription", "labels"];
  const paths = readMask(request.updateMask, changeable, `Model "${model.name}"`);
  const ofVersion = reference.version !== undefined;
  const foreign = paths.find((path) =>
    ofVersion ? path === "displayName" || path === "description" : path === "versionDescription",
  );
  if (foreign !== undefined) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `Field "${foreign}" can't be updated by the name "${given.name}": model fields are updated by the model's name, version fields by "MODEL@VERSION", not both in one call.`,
    );
  }
  checkEtag(given.etag, etagOf([model, version]), `Model "${given.name}"`);
  const now = cloud.now();
  const updated = ofVersion
    ? putVersions(cloud, model, (one) =>
        one.versionId === version.versionId ? changeVersion(one, given, paths, now) : one,
      )
    : cloud.models.put(changeModel(model, given, paths, now));
  return toModelDocument(cloud, updated, findVersion(updated, version.versionId));
}

function changeModel(
  model: ModelRecord,
  given: ModelDocument,
  paths: readonly string[],
  now: string,
): ModelRecord {
  if (paths.includes("displayName") && (given.displayName ?? "") === "") {
    throw new ApiError("INVALID_ARGUMENT", "model.display_name must not be empty.");
  }
  return {
    ...model,
    updateTime: now,
    ...(paths.includes("displayName") ? { displayName: given.displayName ?? "" } : {}),
    ...(paths.includes("description") ? { description: given.description ?? "" } : {}),
    ...(paths.includes("labels") ? { labels: given.labels ?? {} } : {}),
  };
}

function changeVersion(
  version: VersionRecord,
  given: ModelDocument,
  paths: readonly string[],
  now: string,
): VersionRecord {
  return {
    ...version,
    updateTime: now,
    ...(paths.includes("versionDescription")
      ? { description: given.versionDescription ?? "" }
      : {}),
    ...(paths.includes("labels") ? { labels: given.labels ?? {} } : {}),
  };
}

/** Adds aliases to a version, taking them from any other; "-alias" removes one. */
export async function mergeVersionAliases(
  cloud: Cloud,
  request: { readonly name?: string; readonly versionAliases?: readonly string[] },
): Promise<Document> {
  const { model, version } = resolveModel(cloud, request.name);
  const given = request.versionAliases ?? [];
  if (given.length === 0) throw new ApiError("INVALID_ARGUMENT", "version_aliases is required.");
  const removed = given.filter((one) => one.startsWith("-")).map((one) => one.slice(1));
  const added = given.filter((one) => !one.startsWith("-"));
  [...removed, ...added].forEach(checkVersionAlias);
  if (removed.includes(DEFAULT_ALIAS)) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `The alias "${DEFAULT_ALIAS}" can't be removed: give it to another version instead.`,
    );
  }
  const updated = putVersions(cloud, model, (one) => {
    const isTarget = one.versionId === version.versionId;
    const kept = one.aliases.filter((alias) =>
      isTarget ? !removed.includes(alias) : !added.includes(alias),
    );
    const aliases = isTarget ? [...new Set([...kept, ...added])] : kept;
    if (aliases.join() === one.aliases.join()) return one;
    return { ...one, aliases, updateTime: cloud.now() };
  });
  return toModelDocument(cloud, updated, findVersion(updated, version.versionId));
}

export async function deleteModel(
  cloud: Cloud,
  request: { readonly name?: string },
  call: MethodCall,
): Promise<Document> {
  const reference = parseModelName(request.name);
  const model = getModel(cloud, reference.name);
  if (reference.version !== undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `"${request.name}" names a version: delete it with DeleteModelVersion.`,
    );
  }
  checkNotDeployed(cloud, model.name);
  cloud.operations.checkIdle(model.name);
  return cloud.operations.start({
    call,
    method: "ModelService.DeleteModel",
    under: model.name,
    metadataType: "DeleteOperationMetadata",
    responseType: "google.protobuf.Empty",
    run: async (progress) => {
      await progress.stage("");
      checkNotDeployed(cloud, model.name);
      cloud.models.delete(model.name);
      for (const version of model.versions) await removeArtifacts(cloud, version.artifactFolder);
      return {};
    },
  });
}

export async function deleteModelVersion(
  cloud: Cloud,
  request: { readonly name?: string },
  call: MethodCall,
): Promise<Document> {
  const { model, version } = resolveModel(cloud, request.name);
  if (parseModelName(request.name).version === undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `"${request.name}" must name a version, "MODEL@VERSION".`,
    );
  }
  if (model.versions.length === 1) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `Version ${version.versionId} is the only version of Model "${model.name}": delete the Model instead.`,
    );
  }
  if (version.aliases.includes(DEFAULT_ALIAS)) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `Version ${version.versionId} of Model "${model.name}" is the default version: make another the default before deleting it.`,
    );
  }
  checkNotDeployed(cloud, model.name, version.versionId);
  cloud.operations.checkIdle(model.name);
  return cloud.operations.start({
    call,
    method: "ModelService.DeleteModelVersion",
    under: model.name,
    metadataType: "DeleteOperationMetadata",
    responseType: "google.protobuf.Empty",
    run: async (progress) => {
      await progress.stage("");
      checkNotDeployed(cloud, model.name, version.versionId);
      const present = getModel(cloud, model.name);
      const versions = present.versions.filter((one) => one.versionId !== version.versionId);
      cloud.models.put({ ...present, versions, updateTime: cloud.now() });
      await removeArtifacts(cloud, version.artifactFolder);
      return {};
    },
  });
}

function checkNotDeployed(cloud: Cloud, name: string, versionId?: string): void {
  const deployments = findDeployments(cloud, name, versionId);
  if (deployments.length === 0) return;
  const endpoints = [...new Set(deployments.map(({ endpoint }) => endpoint.name))].join(", ");
  throw new ApiError(
    "FAILED_PRECONDITION",
    `The Model "${name}" is deployed or being deployed at the following Endpoint(s): ${endpoints}. Please undeploy the model before retry.`,
  );
}
