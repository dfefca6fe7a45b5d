import { check as checkConnection } from "./check.ts";
import { endpointClient, modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import type { ModelDeploymentInputs } from "./deployment.ts";
import { explain, nullIfNotFound } from "./errors.ts";
import { locationOf, sameResource } from "./names.ts";
import { UNKNOWN } from "./results.ts";
import { retrying } from "./retry.ts";
import { isSpecAlias, listVersions, versionWithAlias } from "./versions.ts";

/** One registered version of a stack's model. */
export interface RegisteredVersion {
  /** Number that Google gave, "3". */
  readonly versionId: string;
  /** `sha-` and 12 hex digits. */
  readonly alias: string;
  /** Whether it bears the alias `live`. */
  readonly isLive: boolean;
}

/** A version, and what the stack's endpoint does with it. */
export interface ServedVersion extends RegisteredVersion {
  /** Share of the endpoint's requests, 0 to 100. */
  readonly traffic: number;
}

/** Where a model's versions stand. */
export interface VersionsTarget {
  readonly emulator: boolean;
  /** projects/P/locations/L/models/M. */
  readonly modelName: string;
}

/**
 * check of a deployment. Where another version than the declared one is to be served, a pin, it must be registered: a
 * version can't be made from its alias. Without a pin nobody is asked.
 */
export async function check(recorded: ModelDeploymentInputs, wanted: ModelDeploymentInputs) {
  const checked = await checkConnection(recorded, wanted);
  if (checked.failures.length > 0) return checked;
  return { ...checked, failures: await pinFailures(wanted) };
}

async function pinFailures(
  wanted: ModelDeploymentInputs,
): Promise<{ property: string; reason: string }[]> {
  const { modelName, versionAlias, declaredAlias } = wanted;
  if (versionAlias === declaredAlias || modelName === UNKNOWN) return [];
  const versions = await registeredVersions(wanted);
  if (versions.some(({ alias }) => alias === versionAlias)) return [];
  const reason = `Could not pin "${versionAlias}": no version of model "${modelName}" bears that alias. ${describeVersions(versions)} Set pin to one that is there, or take it away with "npm run pulumi -- config rm pin".`;
  return [{ property: "versionAlias", reason }];
}

/** The versions there are, in a sentence. */
export function describeVersions(versions: readonly RegisteredVersion[]): string {
  if (versions.length === 0) return "The model has no versions.";
  const each = versions.map(
    ({ versionId, alias, isLive }) => `"${alias}" (version ${versionId}${isLive ? ", live" : ""})`,
  );
  return `There ${versions.length === 1 ? "is" : "are"} ${each.join(", ")}.`;
}

/** The model's versions that a pin can name, the newest first; none when there is no such model. */
export async function registeredVersions(target: VersionsTarget): Promise<RegisteredVersion[]> {
  const { emulator, modelName } = target;
  try {
    const client = await modelClient(requireConnection(emulator), locationOf(modelName));
    const versions = await retrying(() => listVersions(client, modelName));
    return versions
      .flatMap((version) => {
        const aliases = version.versionAliases ?? [];
        const alias = aliases.find(isSpecAlias);
        // Of two versions of one spec the lower number counts.
        if (alias === undefined || versionWithAlias(versions, alias) !== version) return [];
        return [{ versionId: version.versionId ?? "", alias, isLive: aliases.includes("live") }];
      })
      .reverse();
  } catch (error) {
    throw explain(`list the versions of model "${modelName}"`, error);
  }
}

/** The same with what the endpoint gives to each; nothing when there is no such endpoint. Changes nothing. */
export async function servedVersions(
  target: VersionsTarget & { readonly endpoint: string },
): Promise<ServedVersion[]> {
  const { emulator, modelName, endpoint: name } = target;
  const versions = await registeredVersions(target);
  try {
    const client = await endpointClient(requireConnection(emulator), locationOf(name));
    const found = await retrying(() => client.getEndpoint({ name }).catch(nullIfNotFound));
    const { deployedModels = [], trafficSplit = {} } = found?.[0] ?? {};
    return versions.map((version) => {
      const serving = (deployedModels ?? []).filter(
        ({ model, modelVersionId }) =>
          sameResource(model ?? "", modelName) && modelVersionId === version.versionId,
      );
      const shares = serving.map(({ id }) => trafficSplit?.[id ?? ""] ?? 0);
      return { ...version, traffic: shares.reduce((sum, share) => sum + share, 0) };
    });
  } catch (error) {
    throw explain(`read what endpoint "${name}" serves`, error);
  }
}
