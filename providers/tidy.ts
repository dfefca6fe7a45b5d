import type { protos } from "@google-cloud/aiplatform";

import { modelClient, storageClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { locationOf } from "./names.ts";
import { retrying } from "./retry.ts";
import { declaredLimit } from "./time-limits.ts";
import {
  aliasDrift,
  listVersions,
  markLive,
  pruneArchives,
  pruneVersions,
  versionWithAlias,
  versionsBeyond,
} from "./versions.ts";
import type { Keep } from "./versions.ts";

type IModel = protos.google.cloud.aiplatform.v1.IModel;

/** What the last step of a rollout acts on. */
export interface TidyTarget {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
  readonly modelName: string;
  readonly declaredAlias: string;
  readonly keepVersions: number;
  readonly bucket: string;
  readonly deleteTimeoutSeconds: number;
}

/**
 * The last step of a rollout: the aliases follow, then versions beyond keepVersions go, then the archives that none
 * names. Returns the numbers of the versions beyond keepVersions that Google would not delete, since they are in use.
 */
export async function tidyUp(target: TidyTarget, versionId: string): Promise<string[]> {
  const connection = requireConnection(target.emulator);
  const { modelName, bucket, stackUid } = target;
  const keep = keepOf(target, versionId);
  return retrying(async () => {
    const client = await modelClient(connection, locationOf(modelName));
    await markLive(client, modelName, versionId);
    const limit = declaredLimit(target, "deleteTimeoutSeconds");
    const remaining = await pruneVersions(client, modelName, keep, limit);
    const storage = await storageClient(connection, target.project);
    const declared = versionWithAlias(remaining, target.declaredAlias);
    await pruneArchives(storage, bucket, stackUid, remaining, declared);
    return versionsBeyond(remaining, keep).map(numberOf);
  });
}

/** While a split is held: the aliases stay on the old one's version, and nothing is deleted. */
export async function keepLive(target: TidyTarget, versionAlias: string): Promise<void> {
  const { modelName } = target;
  return retrying(async () => {
    const client = await modelClient(requireConnection(target.emulator), locationOf(modelName));
    const version = versionWithAlias(await listVersions(client, modelName), versionAlias);
    if (version?.versionId) await markLive(client, modelName, version.versionId);
  });
}

/** What the last step would still do to the versions as they are, in words; empty when nothing. */
export function untidied(
  versions: readonly IModel[],
  versionId: string,
  target: Pick<TidyTarget, "declaredAlias" | "keepVersions">,
  heldVersions: readonly string[],
): string[] {
  const { keepVersions } = target;
  const left = versionsBeyond(versions, keepOf(target, versionId))
    .map(numberOf)
    .filter((number) => !heldVersions.includes(number));
  const found = aliasDrift(versions, versionId);
  if (left.length > 0) {
    found.push(`versions beyond the newest ${keepVersions} are still there: ${left.join(", ")}`);
  }
  return found;
}

function keepOf(
  { declaredAlias, keepVersions }: Pick<TidyTarget, "declaredAlias" | "keepVersions">,
  versionId: string,
): Keep {
  return { inUse: versionId, declaredAlias, newest: keepVersions };
}

function numberOf(version: IModel): string {
  return version.versionId ?? "";
}
