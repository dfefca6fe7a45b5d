import { ApiError } from "../errors.ts";
import { removeArtifacts } from "./artifacts.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { checkLabels } from "./labels.ts";
import { list, readFields } from "./listing.ts";
import type { ListRequest } from "./listing.ts";
import {
  checkEtag,
  DEFAULT_ALIAS,
  findDeployments,
  findVersion,
  getModel,
  putVersions,
  resolveModel,
  toModelDocument,
} from "./models.ts";
import {
  checkDisplayName,
  checkVersionAlias,
  parentName,
  parseModelName,
  parseParent,
} from "./names.ts";
import type { Document, ModelDocument, ModelRecord, VersionRecord } from "./types.ts";
import { readMask } from "./update-mask.ts";

export async function getModelMethod(
  cloud: Cloud,
  request: { readonly name?: string },
): Promise<Document> {
  const { model, version, isVersioned } = resolveModel(cloud, request.name);
  return toModelDocument(cloud, model, version, isVersioned);
}

export async function listModels(
  cloud: Cloud,
  request: ListRequest & { readonly parent?: string },
): Promise<Document> {
  const prefix = `${parentName(parseParent(request.parent))}/models/`;
  const found = list(
    {
      items: cloud.models.list().filter((model) => model.name.startsWith(prefix)),
      filterFields: ["displayName", "model"],
      orderFields: ["displayName", "createTime", "updateTime"],
      read: readModelField,
    },
    request,
  );
  return {
    models: found.items.map((model) => {
      const document = toModelDocument(cloud, model, findVersion(model, DEFAULT_ALIAS), false);
      return readFields(document, request.readMask);
    }),
    nextPageToken: found.nextPageToken,
  };
}

function readModelField(model: ModelRecord, field: string): string | undefined {
  if (field.startsWith("labels.")) return model.labels[field.slice("labels.".length)];
  if (field === "model") return model.name.replace(/^.*\//, "");
  const fields = { displayName: model.displayName, createTime: model.createTime };
  return { ...fields, updateTime: model.updateTime }[field];
}

export async function listModelVersions(
  cloud: Cloud,
  request: ListRequest & { readonly name?: string },
): Promise<Document> {
  const model = getModel(cloud, parseModelName(request.name).name);
  const found = list(
    {
      items: model.versions,
      filterFields: [],
      orderFields: ["createTime", "updateTime"],
      read: readVersionField,
    },
    request,
  );
  return {
    models: found.items.map((version) =>
      readFields(toModelDocument(cloud, model, version, true), request.readMask),
    ),
    nextPageToken: found.nextPageToken,
  };
}

function readVersionField(version: VersionRecord, field: string): string | undefined {
  if (field.startsWith("labels.")) return version.labels[field.slice("labels.".length)];
  return field === "createTime" ? version.createTime : version.updateTime;
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
  const present = toModelDocument(cloud, model, version, ofVersion);
  checkEtag(given.etag, present["etag"] as string, `Model "${given.name}"`);
  if (paths.includes("labels")) checkLabels(given.labels);
  const now = cloud.now();
  const updated = ofVersion
    ? putVersions(cloud, model, (one) =>
        one.versionId === version.versionId ? changeVersion(one, given, paths, now) : one,
      )
    : cloud.models.put(changeModel(model, given, paths, now));
  return toModelDocument(cloud, updated, findVersion(updated, version.versionId), ofVersion);
}

function changeModel(
  model: ModelRecord,
  given: ModelDocument,
  paths: readonly string[],
  now: string,
): ModelRecord {
  if (paths.includes("displayName")) checkDisplayName(given.displayName, "model.display_name");
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
  const { model, version, isVersioned } = resolveModel(cloud, request.name);
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
  return toModelDocument(cloud, updated, findVersion(updated, version.versionId), isVersioned);
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
  checkVersionDeletable(cloud, model, version);
  cloud.operations.checkIdle(model.name);
  return cloud.operations.start({
    call,
    method: "ModelService.DeleteModelVersion",
    under: model.name,
    metadataType: "DeleteOperationMetadata",
    responseType: "google.protobuf.Empty",
    run: async (progress) => {
      await progress.stage("");
      const present = getModel(cloud, model.name);
      // It may have been deployed, or made the default, since the call.
      checkVersionDeletable(cloud, present, findVersion(present, version.versionId));
      const versions = present.versions.filter((one) => one.versionId !== version.versionId);
      cloud.models.put({ ...present, versions, updateTime: cloud.now() });
      await removeArtifacts(cloud, version.artifactFolder);
      return {};
    },
  });
}

function checkVersionDeletable(cloud: Cloud, model: ModelRecord, version: VersionRecord): void {
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
