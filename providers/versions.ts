import type { protos } from "@google-cloud/aiplatform";
import type { ModelServiceClient } from "@google-cloud/aiplatform/build/src/v1/model_service_client.js";
import type { Storage } from "@google-cloud/storage";

import { ARCHIVES_PREFIX, placeOf } from "./archive-names.ts";
import { Code, codeOf, nullIfNotFound } from "./errors.ts";
import { deleteAsSeen } from "./objects.ts";
import { accept, waitFor } from "./operations.ts";
import { OBJECT_STACK_KEY } from "./ownership.ts";
import type { TimeLimit } from "./time-limits.ts";

type IModel = protos.google.cloud.aiplatform.v1.IModel;

/** Alias that marks the version which the endpoint serves. */
const LIVE = "live";

/** All versions of a model, lowest number first; empty when there is no such model. */
export async function listVersions(
  client: ModelServiceClient,
  modelName: string,
): Promise<IModel[]> {
  const found = await client.listModelVersions({ name: modelName }).catch(nullIfNotFound);
  return [...(found?.[0] ?? [])].sort((a, b) => versionNumber(a) - versionNumber(b));
}

/** The version that bears the alias; of two, the lower number. */
export function versionWithAlias(versions: readonly IModel[], alias: string): IModel | undefined {
  return versions.find((version) => version.versionAliases?.includes(alias));
}

/** Whether an alias is the hash of a serving spec. */
export function isSpecAlias(alias: string): boolean {
  return /^sha-[0-9a-f]{12}$/.test(alias);
}

function versionNumber(version: IModel): number {
  return Number(version.versionId ?? 0);
}

/** Where `live` and `default` stand when that is not the one version, in words. A version that is gone says nothing. */
export function aliasDrift(versions: readonly IModel[], versionId: string): string[] {
  if (!versions.some((version) => version.versionId === versionId)) return [];
  return [LIVE, "default"].flatMap((alias) => {
    const bearers = versions.filter((version) => version.versionAliases?.includes(alias));
    if (bearers.length === 1 && bearers[0]?.versionId === versionId) return [];
    const where = bearers.map((version) => version.versionId).join(" and ");
    const stands = where === "" ? "stands on no version" : `stands on version ${where}`;
    return [`alias "${alias}" ${stands}, not on ${versionId}, which serves`];
  });
}

/** Which versions stay. */
export interface Keep {
  /** How many of the newest. */
  readonly newest: number;
  /** Number of the version that is served. */
  readonly inUse: string;
  /** Alias of the declared version: another than the one in use while a pin stands. */
  readonly declaredAlias: string;
}

/**
 * The versions that do not stay, the newest first. One without an alias of ours was made by hand: it neither counts nor
 * goes.
 */
export function versionsBeyond(versions: readonly IModel[], keep: Keep): IModel[] {
  const declared = versionWithAlias(versions, keep.declaredAlias);
  const ours = versions.filter((version) => version.versionAliases?.some(isSpecAlias));
  const newestFirst = ours.sort((a, b) => versionNumber(b) - versionNumber(a));
  return newestFirst
    .slice(keep.newest)
    .filter((version) => version.versionId !== keep.inUse && version !== declared);
}

/** Moves the aliases `live` and `default` to one version. Aliases that already stand there are left alone. */
export async function markLive(
  client: ModelServiceClient,
  modelName: string,
  versionId: string,
): Promise<void> {
  const versions = await listVersions(client, modelName);
  for (const other of versions) {
    if (other.versionId !== versionId && other.versionAliases?.includes(LIVE)) {
      await mergeAliases(client, modelName, other.versionId, [`-${LIVE}`]);
    }
  }
  const aliases = versions.find((version) => version.versionId === versionId)?.versionAliases ?? [];
  const missing = [LIVE, "default"].filter((alias) => !aliases.includes(alias));
  if (missing.length > 0) await mergeAliases(client, modelName, versionId, missing);
}

/** Adds aliases to a version, and takes away those with a "-" before them. */
export async function mergeAliases(
  client: ModelServiceClient,
  modelName: string,
  versionId: string | null | undefined,
  versionAliases: string[],
): Promise<void> {
  await client.mergeVersionAliases({ name: `${modelName}@${versionId}`, versionAliases });
}

/**
 * Deletes the versions that do not stay. A version that another endpoint serves stays.
 * Returns the versions that remain.
 */
export async function pruneVersions(
  client: ModelServiceClient,
  modelName: string,
  keep: Keep,
  limit: TimeLimit,
): Promise<IModel[]> {
  const versions = await listVersions(client, modelName);
  const deleted = new Set<IModel>();
  for (const version of versionsBeyond(versions, keep)) {
    if (await deleteVersion(client, modelName, version, limit)) deleted.add(version);
  }
  return versions.filter((version) => !deleted.has(version));
}

async function deleteVersion(
  client: ModelServiceClient,
  modelName: string,
  version: IModel,
  limit: TimeLimit,
): Promise<boolean> {
  const name = `${modelName}@${version.versionId}`;
  try {
    const accepted = await accept("deleteModelVersion", () => client.deleteModelVersion({ name }));
    await waitFor(client, accepted, { limit, what: `deletion of version "${name}"` });
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === Code.NOT_FOUND) return true;
    if (code === Code.FAILED_PRECONDITION) return false;
    throw error;
  }
}

/**
 * Deletes this stack's archives that no remaining version names. When one version names none, all archives stay; so they do
 * while the bucket holds no archive of the version `declared`: it was adopted with one elsewhere, and no version names the
 * archive that is declared. The parts of an archive stay while it is named and not yet there: its upload goes on with them.
 */
export async function pruneArchives(
  storage: Storage,
  bucket: string,
  stackUid: string,
  remaining: readonly IModel[],
  declared?: IModel,
): Promise<void> {
  // By the folder alone: a version registered from a bucket of another name keeps that address for ever.
  const used = new Set(remaining.map(archiveFolder));
  if (used.has("")) return;
  const [files] = await storage.bucket(bucket).getFiles({ prefix: ARCHIVES_PREFIX });
  const found = files.map((file) => ({ file, ...placeOf(file.name) }));
  const whole = new Set(found.filter(({ kind }) => kind === "archive").map(({ folder }) => folder));
  if (declared && !whole.has(archiveFolder(declared))) return;
  for (const { file, folder, kind } of found) {
    const isNeeded = used.has(folder) && !(kind === "part" && whole.has(folder));
    if (!isNeeded && file.metadata.metadata?.[OBJECT_STACK_KEY] === stackUid) {
      await deleteAsSeen(file);
    }
  }
}

/** Folder of a version's archive in whatever bucket; empty when it names none. */
function archiveFolder({ artifactUri }: IModel): string {
  return (artifactUri ?? "").replace(/^gs:\/\/[^/]+\/|\/$/g, "");
}
