import { ApiError } from "../errors.ts";
import { copyArtifacts, findArtifacts } from "./artifacts.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { checkContainer } from "./container-spec.ts";
import { checkLabels } from "./labels.ts";
import { DEFAULT_ALIAS, getModel } from "./models.ts";
import {
  checkDisplayName,
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
  if (existing === undefined) checkDisplayName(document.displayName, "model.display_name");
  checkLabels(document.labels);
  document.versionAliases?.forEach(checkVersionAlias);
  const { artifactUri = "" } = document;
  const findThem = () =>
    artifactUri === ""
      ? undefined
      : findArtifacts(cloud.objects, artifactUri, container.imageUri ?? "");
  findThem();
  cloud.operations.checkIdle(name);
  return cloud.operations.start({
    call,
    method: "ModelService.UploadModel",
    under: name,
    metadataType: "UploadModelOperationMetadata",
    responseType: "UploadModelResponse",
    run: async (progress) => {
      await progress.stage("");
      // They may have changed since the call.
      const artifacts = findThem();
      const folder = artifacts === undefined ? "" : await copyArtifacts(cloud, artifacts);
      const version = addVersion(cloud, name, document, container, folder);
      return { model: name, modelVersionId: version.versionId };
    },
  });
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
  const aliases = [...new Set(present === undefined ? [DEFAULT_ALIAS, ...asked] : asked)];
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
