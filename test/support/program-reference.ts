import { withMarks } from "../../providers/ownership.ts";
import { archivesOf } from "./program-observation.ts";
import type { SeenCloud, SeenVersion } from "./program-observation.ts";
import { BUCKET, MACHINES, MODEL_ID, aliasOf, archiveObject } from "./program-settings.ts";
import type { ProgramSettings } from "./program-settings.ts";

/** What is declared now, and by whom. */
export interface Wanted {
  readonly settings: ProgramSettings;
  readonly digest: string;
  readonly stackUid: string;
}

/** What should be there after an up that nothing disturbed. */
export interface ExpectedCloud {
  readonly deployed: Readonly<Record<string, unknown>>;
  readonly alias: string;
  /** Numbers of the versions that were there and stay, lowest first. */
  readonly keptVersions: readonly string[];
  /** Whether a version is uploaded. */
  readonly newVersion: boolean;
  /** Names of this stack's objects. */
  readonly archives: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

/** What an undisturbed up makes of a cloud: a function of what is declared and of what was there. */
export function expectedAfterUp(before: SeenCloud, wanted: Wanted): ExpectedCloud {
  const { settings, digest, stackUid } = wanted;
  const alias = aliasOf(digest);
  const existing = before.versions.find(({ aliases }) => aliases.includes(alias));
  const uploaded: SeenVersion[] =
    existing === undefined ? [{ id: NEW, aliases: [alias], artifactUri: folderOf(digest) }] : [];
  const newestFirst = [...uploaded, ...[...before.versions].reverse()];
  const kept = newestFirst.filter(
    (version, position) =>
      position < settings.keepVersions ||
      version === existing ||
      isServedElsewhere(before, version),
  );
  const present = new Set(archivesOf(before, stackUid));
  const named = kept
    .map(({ artifactUri }) => `${artifactUri.slice(`gs://${BUCKET}/`.length)}/model.mar`)
    .filter((name) => present.has(name));
  return {
    deployed: {
      displayName: displayNameOf(wanted),
      machineType: settings.machine,
      acceleratorType: MACHINES[settings.machine],
      acceleratorCount: 1,
      minReplicaCount: settings.minReplicas,
      maxReplicaCount: settings.maxReplicas,
    },
    alias,
    keptVersions: kept
      .map(({ id }) => id)
      .filter((id) => id !== NEW)
      .reverse(),
    newVersion: existing === undefined,
    archives: [...new Set([...named, archiveObject(digest)])].sort(),
    labels: withMarks({ team: settings.team }, stackUid),
    description: settings.description,
  };
}

const NEW = "new";

/** How a deployed model of the declared spec is named. */
export function displayNameOf({ digest, stackUid }: Wanted): string {
  return `${MODEL_ID}-${stackUid.slice(0, 4)}-${aliasOf(digest)}`;
}

function folderOf(digest: string): string {
  return `gs://${BUCKET}/archives/${digest}`;
}

/** Whether somebody's own endpoint serves this version: then it may not be deleted. */
function isServedElsewhere({ all, deployed }: SeenCloud, version: SeenVersion): boolean {
  const ours = new Set(deployed.map(({ serverId }) => serverId));
  return all.endpoints
    .flatMap(({ deployedModels }) => deployedModels)
    .some(
      (one) =>
        one.model.endsWith(`/${MODEL_ID}`) &&
        one.modelVersionId === version.id &&
        !ours.has(one.serverId),
    );
}
