import type { protos } from "@google-cloud/aiplatform";

import type { AdoptionInputs } from "./adoption.ts";
import { endpointClient, modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { toDeployedModel } from "./deployed.ts";
import type { DeployedModel } from "./deployed.ts";
import { explain, nullIfNotFound } from "./errors.ts";
import { locationOf, sameResource } from "./names.ts";
import {
  ADOPTED_LABEL,
  MANAGED_BY_LABEL,
  STACK_LABEL,
  adoptedValue,
  aliasInDisplayName,
  isOurs,
  withMarks,
} from "./ownership.ts";
import { retrying } from "./retry.ts";
import { isSpecAlias, listVersions, mergeAliases } from "./versions.ts";

type IEndpoint = protos.google.cloud.aiplatform.v1.IEndpoint;
type IModel = protos.google.cloud.aiplatform.v1.IModel;

/** What is there to be taken over. */
export interface Adoptable {
  readonly endpoint: IEndpoint | null;
  readonly model: IModel | null;
  readonly versions: readonly IModel[];
  /** The deployed model that serves the named version; null when none does. */
  readonly served: DeployedModel | null;
  /** Everything else on the endpoint. */
  readonly others: readonly DeployedModel[];
  /** True when this stack has rolled out a version of its own: the takeover is long done. */
  readonly isDone: boolean;
}

type Target = AdoptionTarget & Pick<AdoptionInputs, "version" | "versionAlias">;

/** Looks at endpoint, model, versions and deployed models; changes nothing. */
export async function observeAdoptable(target: Target): Promise<Adoptable> {
  const { endpoints, models } = await clientsOf(target);
  const [foundEndpoint, foundModel, versions] = await Promise.all([
    endpoints.getEndpoint({ name: target.endpoint }).catch(nullIfNotFound),
    models.getModel({ name: target.modelName }).catch(nullIfNotFound),
    listVersions(models, target.modelName),
  ]);
  const endpoint = foundEndpoint?.[0] ?? null;
  const deployed = (endpoint?.deployedModels ?? []).map((one) => ({
    version: one.modelVersionId ?? "",
    model: toDeployedModel(one, endpoint?.trafficSplit ?? {}, target.versionAlias),
  }));
  const isOwn = (one: DeployedModel) =>
    isOurs(endpoint?.labels, target.stackUid) &&
    aliasInDisplayName(one.displayName, target.stackUid) !== undefined;
  const served =
    deployed.find(
      ({ version, model }) =>
        version === target.version &&
        sameResource(model.modelName, target.modelName) &&
        !isOwn(model),
    )?.model ?? null;
  const others = deployed.map(({ model }) => model).filter((model) => model !== served);
  const isDone = others.some(isOwn);
  return { endpoint, model: foundModel?.[0] ?? null, versions, served, others, isDone };
}

/**
 * Marks model and endpoint as this stack's and gives the version the alias of the declared serving spec. The endpoint is last:
 * while it bears no mark nothing there is deleted.
 */
export async function putMarks(
  target: Target,
  found: Adoptable,
  deployedModelId: string,
): Promise<void> {
  const { endpoints, models } = await clientsOf(target);
  const { endpoint, modelName, stackUid, version, versionAlias } = target;
  const isServed = found.served !== null && found.served.id === deployedModelId;
  if (isServed) {
    const aliases = found.versions.find((one) => one.versionId === version)?.versionAliases ?? [];
    // A run that was killed may have given it the alias of an archive that was changed since.
    const others = aliases.filter((alias) => isSpecAlias(alias) && alias !== versionAlias);
    const missing = aliases.includes(versionAlias) ? [] : [versionAlias];
    const changes = [...missing, ...others.map((alias) => `-${alias}`)];
    if (changes.length > 0) await mergeAliases(models, modelName, version, changes);
  }
  if (!isOurs(found.model?.labels, stackUid)) {
    await models.updateModel({
      model: { name: modelName, labels: withMarks(found.model?.labels ?? {}, stackUid) },
      updateMask: { paths: ["labels"] },
    });
  }
  const adopted: Record<string, string> = isServed
    ? { [ADOPTED_LABEL]: adoptedValue(deployedModelId, versionAlias) }
    : {};
  const labels = withMarks({ ...found.endpoint?.labels, ...adopted }, stackUid);
  const isMissing = Object.entries(labels).some(
    ([key, value]) => found.endpoint?.labels?.[key] !== value,
  );
  if (isMissing) {
    await endpoints.updateEndpoint({
      endpoint: { name: endpoint, labels },
      updateMask: { paths: ["labels"] },
    });
  }
}

/** What identifies adopted things: enough to give them back when the engine never recorded the takeover. */
export type AdoptionTarget = Pick<
  AdoptionInputs,
  "emulator" | "stackUid" | "endpoint" | "modelName"
>;

/** Takes this stack's marks off what is left; what is gone, or another's, stays as it is. */
export async function giveBack(target: AdoptionTarget): Promise<void> {
  try {
    await retrying(() => takeMarks(target));
  } catch (error) {
    throw explain(`take this stack's marks off endpoint "${target.endpoint}"`, error);
  }
}

async function takeMarks(target: AdoptionTarget): Promise<void> {
  const { endpoints, models } = await clientsOf(target);
  const endpoint = await endpoints.getEndpoint({ name: target.endpoint }).catch(nullIfNotFound);
  if (endpoint !== null && isOurs(endpoint[0].labels, target.stackUid)) {
    await endpoints.updateEndpoint({
      endpoint: { name: target.endpoint, labels: unmarked(endpoint[0].labels) },
      updateMask: { paths: ["labels"] },
    });
  }
  const model = await models.getModel({ name: target.modelName }).catch(nullIfNotFound);
  if (model !== null && isOurs(model[0].labels, target.stackUid)) {
    await models.updateModel({
      model: { name: target.modelName, labels: unmarked(model[0].labels) },
      updateMask: { paths: ["labels"] },
    });
  }
}

function unmarked(labels: Readonly<Record<string, string>> | null | undefined) {
  const marks = [MANAGED_BY_LABEL, STACK_LABEL, ADOPTED_LABEL];
  return Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => !marks.includes(key)));
}

async function clientsOf({ emulator, endpoint, modelName }: AdoptionTarget) {
  const connection = requireConnection(emulator);
  const [endpoints, models] = await Promise.all([
    endpointClient(connection, locationOf(endpoint)),
    modelClient(connection, locationOf(modelName)),
  ]);
  return { endpoints, models };
}
