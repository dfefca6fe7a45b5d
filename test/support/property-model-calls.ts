import { IMAGE } from "./light-cloud.ts";
import { BUCKET, PARENT, pickId, refusalsOf } from "./property-call.ts";
import type { ExpectedCall } from "./property-call.ts";
import { findVersion, isBusy, isDeployed } from "./property-reference.ts";
import type { ExpectedModel, ExpectedVersion, ReferenceCloud } from "./property-reference.ts";

export interface UploadParams {
  /** undefined = a model whose id the emulator chooses. */
  readonly model: number | undefined;
  /** A new version of a model, by parentModel. */
  readonly isVersion: boolean;
  readonly aliases: readonly string[];
  /** Folder of the bucket; "" = without artifacts. */
  readonly folder: string;
  readonly flaw?: "bad id" | "no name" | "no image" | "foreign image";
}

const BAD_ALIAS = "Not-An-Alias";
export const ALIASES = ["live", "stable", "default", BAD_ALIAS] as const;

export function uploadModel(cloud: ReferenceCloud, params: UploadParams): ExpectedCall {
  const { aliases, folder, flaw, isVersion } = params;
  const chosen = params.model === undefined ? undefined : pickId("models", params.model, {});
  const id = flaw === "bad id" ? "9 lives" : chosen;
  const target = id === undefined ? undefined : `models/${id}`;
  const parent = isVersion && id !== undefined ? id : undefined;
  const present = id === undefined ? undefined : cloud.models[id];
  const isNamed = flaw !== "no name";
  const image = flaw === "foreign image" ? "europe-docker.pkg.dev/own/images/server:1" : IMAGE;
  const isRunnable = image === IMAGE && folder !== "";
  /** A prebuilt image needs its archive, any other needs something. */
  const lacksArtifacts = (): boolean => {
    const names = Object.keys(cloud.objects).filter((name) => name.startsWith(`${folder}/`));
    if (folder === "") return false;
    return image === IMAGE ? !names.includes(`${folder}/model.mar`) : names.length === 0;
  };
  return {
    method: "UploadModel",
    verb: "POST",
    path: "models:upload",
    body: {
      ...(parent === undefined
        ? { ...(id === undefined ? {} : { modelId: id }) }
        : { parentModel: `${PARENT}/models/${parent}` }),
      model: {
        ...(isNamed ? { displayName: `the model ${id ?? "of no name"}` } : {}),
        ...(folder === "" ? {} : { artifactUri: `gs://${BUCKET}/${folder}` }),
        ...(aliases.length === 0 ? {} : { versionAliases: aliases }),
        ...(flaw === "no image" ? {} : { containerSpec: { imageUri: image } }),
      },
    },
    target,
    refusals: refusalsOf(
      [flaw === "no image", "INVALID_ARGUMENT"],
      [flaw === "bad id", "INVALID_ARGUMENT"],
      [!isNamed && parent === undefined, "INVALID_ARGUMENT"],
      [aliases.includes(BAD_ALIAS), "INVALID_ARGUMENT"],
      [parent === undefined && present !== undefined, "ALREADY_EXISTS"],
      [parent !== undefined && present === undefined, "NOT_FOUND"],
      [lacksArtifacts(), "FAILED_PRECONDITION"],
      [target !== undefined && isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stagesLeft: 1,
      end: (response) => {
        // They may have been deleted meanwhile.
        if (lacksArtifacts()) return "FAILED_PRECONDITION";
        const name = id ?? lastSegment(String(response["model"]));
        addVersion(cloud, name, aliases, isRunnable);
        return undefined;
      },
    },
  };
}

function addVersion(
  cloud: ReferenceCloud,
  id: string,
  aliases: readonly string[],
  isRunnable: boolean,
): void {
  const model = (cloud.models[id] ??= {
    displayName: `the model ${/^[0-9]/.test(id) ? "of no name" : id}`,
    lastVersion: 0,
    versions: [],
  });
  model.lastVersion += 1;
  const version: ExpectedVersion = {
    id: String(model.lastVersion),
    aliases: [],
    description: "",
    isRunnable,
  };
  model.versions.push(version);
  const given = model.lastVersion === 1 ? ["default", ...aliases] : aliases;
  for (const alias of given) moveAlias(model, version, alias);
}

function moveAlias(model: ExpectedModel, to: ExpectedVersion, alias: string): void {
  for (const one of model.versions) one.aliases = one.aliases.filter((given) => given !== alias);
  to.aliases.push(alias);
}

export interface VersionParams {
  readonly model: number;
  /** Id, alias, "-" or none (the default version); "newest" = the id of the newest. */
  readonly version: string | undefined;
}

function toName(cloud: ReferenceCloud, params: VersionParams) {
  const id = pickId("models", params.model, cloud.models);
  const record = cloud.models[id];
  const version =
    params.version === "newest" ? (record?.versions.at(-1)?.id ?? "1") : params.version;
  return {
    id,
    reference: version,
    target: `models/${id}`,
    path: `models/${id}${version === undefined ? "" : `@${version}`}`,
    model: record,
    version: findVersion(record, version),
  };
}

export function mergeAliases(
  cloud: ReferenceCloud,
  params: VersionParams & { readonly aliases: readonly string[] },
): ExpectedCall {
  const { target, path, model, version } = toName(cloud, params);
  const { aliases } = params;
  return {
    method: "MergeVersionAliases",
    verb: "POST",
    path: `${path}:mergeVersionAliases`,
    body: { versionAliases: aliases },
    target,
    refusals: refusalsOf(
      [version === undefined, "NOT_FOUND"],
      [aliases.length === 0, "INVALID_ARGUMENT"],
      [aliases.includes("-default"), "INVALID_ARGUMENT"],
      [aliases.includes(BAD_ALIAS), "INVALID_ARGUMENT"],
    ),
    apply: () => {
      if (model === undefined || version === undefined) return;
      for (const alias of aliases) {
        if (!alias.startsWith("-")) moveAlias(model, version, alias);
        else version.aliases = version.aliases.filter((one) => one !== alias.slice(1));
      }
    },
  };
}

export interface UpdateModelParams extends VersionParams {
  readonly mask: "display_name" | "versionDescription" | "name" | "";
  readonly text: string;
  /** undefined = without one. */
  readonly etag: "present" | "stale" | undefined;
}

export function updateModel(
  cloud: ReferenceCloud,
  params: UpdateModelParams,
  presentEtag: (path: string) => string | undefined,
): ExpectedCall {
  const { id, target, path, model, version, reference } = toName(cloud, params);
  const { mask, text } = params;
  const isVersioned = reference !== undefined && reference !== "-";
  const versioned = isVersioned ? `models/${id}@${version?.id ?? ""}` : `models/${id}`;
  const etag = params.etag === "stale" ? "stale" : presentEtag(versioned);
  return {
    method: "UpdateModel",
    verb: "PATCH",
    path: `${path}?updateMask=${mask}`,
    body: {
      displayName: text,
      versionDescription: text,
      ...(params.etag === undefined ? {} : { etag }),
    },
    target,
    refusals: refusalsOf(
      [version === undefined, "NOT_FOUND"],
      [mask === "name" || mask === "", "INVALID_ARGUMENT"],
      [mask === "display_name" && isVersioned, "FAILED_PRECONDITION"],
      [mask === "display_name" && (text === "" || text.length > 128), "INVALID_ARGUMENT"],
      [mask === "versionDescription" && !isVersioned, "FAILED_PRECONDITION"],
      [params.etag === "stale", "ABORTED"],
    ),
    apply: () => {
      if (model === undefined || version === undefined) return;
      if (mask === "display_name") model.displayName = text;
      else version.description = text;
    },
  };
}

export function deleteModel(cloud: ReferenceCloud, params: VersionParams): ExpectedCall {
  const { id, target, path, model } = toName(cloud, params);
  return {
    method: "DeleteModel",
    verb: "DELETE",
    path,
    target,
    refusals: refusalsOf(
      [model === undefined, "NOT_FOUND"],
      [params.version !== undefined && params.version !== "-", "INVALID_ARGUMENT"],
      [isDeployed(cloud, id), "FAILED_PRECONDITION"],
      [isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stagesLeft: 1,
      end: () => {
        if (isDeployed(cloud, id)) return "FAILED_PRECONDITION";
        delete cloud.models[id];
        return undefined;
      },
    },
  };
}

export function deleteModelVersion(cloud: ReferenceCloud, params: VersionParams): ExpectedCall {
  const { id, target, path, model, version } = toName(cloud, params);
  return {
    method: "DeleteModelVersion",
    verb: "DELETE",
    path: `${path}:deleteVersion`,
    target,
    refusals: refusalsOf(
      [version === undefined, "NOT_FOUND"],
      [params.version === undefined || params.version === "-", "INVALID_ARGUMENT"],
      [model?.versions.length === 1, "FAILED_PRECONDITION"],
      [version?.aliases.includes("default") === true, "FAILED_PRECONDITION"],
      [version !== undefined && isDeployed(cloud, id, version.id), "FAILED_PRECONDITION"],
      [isBusy(cloud, target), "FAILED_PRECONDITION"],
    ),
    operation: {
      stagesLeft: 1,
      end: () => {
        const present = cloud.models[id];
        const leaving = present?.versions.find((one) => one.id === version?.id);
        if (present === undefined || leaving === undefined) return "NOT_FOUND";
        if (isDeployed(cloud, id, leaving.id)) return "FAILED_PRECONDITION";
        // It may have been made the default meanwhile.
        if (leaving.aliases.includes("default")) return "FAILED_PRECONDITION";
        present.versions = present.versions.filter((one) => one !== leaving);
        return undefined;
      },
    },
  };
}

export function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
