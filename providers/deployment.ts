import type { protos } from "@google-cloud/aiplatform";

import { RefusedError } from "./canary.ts";
import type { CanaryState, RefusedSpec } from "./canary.ts";
import { compare, driftNotice, inputsOf } from "./changes.ts";
import type { Changes, EffectTable } from "./changes.ts";
import { endpointClient, modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { endpointIsOurs, observeEndpoint, servesSpec } from "./deployed.ts";
import type { AutoscalingMetric, DeployedModel, ObservedEndpoint } from "./deployed.ts";
import { say } from "./engine.ts";
import { ReconcileError, UnfinishedError, explain } from "./errors.ts";
import { migrateDeployment } from "./migrations.ts";
import { locationOf, sameResource } from "./names.ts";
import { deployerOf } from "./ownership.ts";
import { SCHEMA, asPartialFailure, plain, stillPending } from "./results.ts";
import type { ReadResult, Reconciled } from "./results.ts";
import { retrying } from "./retry.ts";
import { refusedNotice, rolloutNotice } from "./rollout-notice.ts";
import { hasReplicas } from "./rollout-steps.ts";
import { refusalOf, rollOut } from "./rollout.ts";
import { keepLive, tidyUp, untidied } from "./tidy.ts";
import { undeployAll } from "./undeploy.ts";
import { aliasDrift, listVersions, versionWithAlias } from "./versions.ts";

export { check } from "./pin.ts";

type IModel = protos.google.cloud.aiplatform.v1.IModel;

/**
 * How a new deployment takes over. "surge": beside the old one, which is undeployed afterwards. "recreate": after the old
 * one is undeployed, for when there is no second accelerator. "canary": like surge by steps, rolled back when it fails.
 */
export type RolloutKind = "surge" | "recreate" | "canary";

/** What the endpoint serves: it owns this stack's deployed models there and the whole traffic split. */
export interface ModelDeploymentInputs {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
  /** projects/P/locations/L/endpoints/E. */
  readonly endpoint: string;
  /** projects/P/locations/L/models/M. */
  readonly modelName: string;
  /** Version to serve, `sha-` and 12 hex digits: the declared one, or the one that a pin names. */
  readonly versionAlias: string;
  /** Version of the declared archive and container, which is kept also while a pin serves another one. */
  readonly declaredAlias: string;
  readonly machineType: string;
  readonly acceleratorType: string | null;
  readonly acceleratorCount: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly autoscaling: readonly AutoscalingMetric[];
  readonly spot: boolean;
  readonly serviceAccount: string | null;
  readonly rollout: RolloutKind;
  /** Percents that a canary gets, step by step; the last one is 100. */
  readonly canarySteps: readonly number[];
  /** Shortest time of one step, in seconds. */
  readonly canaryBakeSeconds: number;
  /** Answers that a canary must give in each step. At least 1. */
  readonly canaryMinSamples: number;
  /** How many times slower than the old one a canary may answer. Above 1. */
  readonly maxLatencyRatio: number;
  /** Percent of the requests that a new deployment is held at beside the old one, 1 to 99; null: it takes over. */
  readonly canaryPercent: number | null;
  /** Whether a spec whose canary was rolled back is tried again. */
  readonly retryRollout: boolean;
  /** Model versions kept after a rollout, the newest first. At least 1. */
  readonly keepVersions: number;
  /** Bucket whose archives are pruned with their versions. */
  readonly bucket: string;
  /** Longest wait for one deploy or one change of its replicas, in seconds. */
  readonly deployTimeoutSeconds: number;
  /** Longest wait for one undeployment, in seconds. */
  readonly undeployTimeoutSeconds: number;
  /** Longest wait for the deletion of one old version, in seconds. */
  readonly deleteTimeoutSeconds: number;
  /** Resource whose Info column shows progress. */
  readonly progressUrn: string;
}

export interface ModelDeploymentOutputs extends ModelDeploymentInputs, Reconciled {
  /** Id of the deployed model that serves, as Google knows it; empty when none does. */
  readonly deployedModelId: string;
  /** Number of the model version that it serves. */
  readonly versionId: string;
  /** False when the last step of a rollout (aliases, old versions and archives) is still to be done. */
  readonly tidied: boolean;
  /** Numbers of versions beyond keepVersions that something else still uses. */
  readonly heldVersions: readonly string[];
  /** The spec whose canary was rolled back last; null when none was since the last rollout that went well. */
  readonly refused: RefusedSpec | null;
  /** The held split of old one and candidate; null when one model serves alone. */
  readonly canary: CanaryState | null;
}

export const effects: EffectTable<ModelDeploymentInputs> = {
  emulator: "none",
  stackUid: "replace",
  project: "none",
  endpoint: "replace",
  modelName: "replace",
  versionAlias: "update",
  // While a pin stands, what a new archive leaves to be pruned is pruned by the same `up`.
  declaredAlias: "update",
  machineType: "update",
  acceleratorType: "update",
  acceleratorCount: "update",
  minReplicas: "update",
  maxReplicas: "update",
  autoscaling: "update",
  spot: "update",
  serviceAccount: "update",
  rollout: "none",
  canarySteps: "none",
  canaryBakeSeconds: "none",
  canaryMinSamples: "none",
  maxLatencyRatio: "none",
  canaryPercent: "update",
  retryRollout: "none",
  keepVersions: "update",
  bucket: "update",
  deployTimeoutSeconds: "none",
  undeployTimeoutSeconds: "record",
  deleteTimeoutSeconds: "none",
  progressUrn: "none",
};

export function diff(
  _id: string,
  older: ModelDeploymentOutputs,
  wanted: ModelDeploymentInputs,
): Changes {
  const recorded = migrateDeployment(older);
  const changes = compare(effects, recorded, wanted);
  if (changes.replaces.length === 0) {
    const refused = refusalOf(wanted, recorded);
    const notice = refused === null ? rolloutNotice(recorded, wanted) : refusedNotice(refused);
    say(wanted.progressUrn, notice);
  }
  const unfinished = Boolean(recorded.pending ?? recorded.drift) || !recorded.tidied;
  return { ...changes, changes: changes.changes || unfinished };
}

export async function create(inputs: ModelDeploymentInputs) {
  return { id: inputs.endpoint, outs: await reconcile(inputs, null) };
}

export async function update(
  _id: string,
  recorded: ModelDeploymentOutputs,
  inputs: ModelDeploymentInputs,
) {
  return { outs: await reconcile(inputs, migrateDeployment(recorded)) };
}

/** Observes what the endpoint serves; never waits. An endpoint that is gone or not ours has no deployment. */
export async function read(
  id: string,
  older: ModelDeploymentOutputs,
): Promise<ReadResult<ModelDeploymentOutputs>> {
  const recorded = migrateDeployment(older);
  try {
    const connection = requireConnection(recorded.emulator);
    const client = await endpointClient(connection, locationOf(recorded.endpoint));
    const endpoint = await retrying(() =>
      observeEndpoint(client, recorded.endpoint, recorded.stackUid),
    );
    if (endpoint === null || !endpointIsOurs(endpoint, recorded.stackUid)) return { id: "" };
    const serving = servingModel(endpoint, recorded);
    if (serving === undefined && recorded.pending !== null) return stillPending(id, recorded);
    const versions = serving === undefined ? [] : await versionsOf(recorded);
    const observed = observedFields(serving, recorded, versions);
    const stable = held(endpoint, recorded);
    const left = describeLeft(versions, observed.versionId, stable, recorded);
    const found = [...describeDrift(endpoint, serving, recorded), ...left];
    const drift = found.length === 0 ? null : found.join("; ");
    const props = { ...recorded, ...observed, drift };
    say(recorded.progressUrn, driftNotice(effects, recorded, props));
    return { id, props: plain(props), inputs: plain(inputsOf(effects, props)) };
  } catch (error) {
    throw explain(`read what endpoint "${recorded.endpoint}" serves`, error);
  }
}

export async function remove(_id: string, recorded: ModelDeploymentOutputs): Promise<void> {
  await undeployAll(migrateDeployment(recorded));
}

async function reconcile(
  inputs: ModelDeploymentInputs,
  recorded: ModelDeploymentOutputs | null,
): Promise<ModelDeploymentOutputs> {
  const name = inputs.endpoint;
  let known: ModelDeploymentOutputs = {
    ...inputs,
    deployedModelId: "",
    versionId: "",
    schema: SCHEMA,
    pending: null,
    drift: null,
    tidied: false,
    heldVersions: recorded?.heldVersions ?? [],
    refused: recorded?.refused ?? null,
    canary: null,
  };
  try {
    const rolledOut = await rollOut(inputs, recorded);
    known = { ...known, ...rolledOut, refused: stillRefused(inputs, recorded) };
  } catch (error) {
    if (error instanceof RefusedError) throw refusal(known, error);
    const explained = explain(`deploy "${inputs.versionAlias}" to endpoint "${name}"`, error);
    throw asPartialFailure(explained, name, known);
  }
  try {
    if (known.canary !== null) {
      await keepLive(inputs, known.canary.stable.versionAlias);
      return plain({ ...known, tidied: true });
    }
    return plain({ ...known, tidied: true, heldVersions: await tidyUp(inputs, known.versionId) });
  } catch (error) {
    throw untidyFailure(known, error);
  }
}

/** A rollout that went well ends the memory of a canary that did not; a pin only puts it off. */
function stillRefused(
  { versionAlias, declaredAlias }: ModelDeploymentInputs,
  recorded: ModelDeploymentOutputs | null,
): RefusedSpec | null {
  const refused = recorded?.refused ?? null;
  const isPinned = versionAlias !== declaredAlias;
  return isPinned && refused?.versionAlias !== versionAlias ? refused : null;
}

/** What serves instead is recorded, and the spec that is refused from now on. */
function refusal(known: ModelDeploymentOutputs, error: RefusedError): Error {
  const { serving, refused, pending } = error;
  const observed = serving === undefined ? {} : observedFields(serving, known, []);
  return Object.assign(new ReconcileError(error.message), {
    id: known.endpoint,
    properties: plain({ ...known, ...observed, tidied: true, refused, pending }),
    reasons: [error.message],
  });
}

/** The rollout itself is done: what serves is recorded, and that the next `up` has the last step to do. */
function untidyFailure(known: ModelDeploymentOutputs, error: unknown): Error {
  if (error instanceof UnfinishedError) return asPartialFailure(error, known.endpoint, known);
  const done = `"${known.versionAlias}" serves at endpoint "${known.endpoint}"`;
  const { message } = explain("move the aliases and delete what is no longer kept", error);
  const reason = `${done}, but the rollout is not finished. ${message} Run "up" again; it does only what is left.`;
  return Object.assign(new ReconcileError(reason), {
    id: known.endpoint,
    properties: plain(known),
    reasons: [reason],
  });
}

/** Of this stack's deployed models: the recorded one, else the one with most traffic. */
function servingModel(
  endpoint: ObservedEndpoint,
  recorded: ModelDeploymentOutputs,
): DeployedModel | undefined {
  const byTraffic = [...endpoint.ours].sort((a, b) => b.traffic - a.traffic);
  return byTraffic.find((model) => servesSpec(model, recorded)) ?? byTraffic[0];
}

function observedFields(
  serving: DeployedModel | undefined,
  recorded: ModelDeploymentOutputs,
  versions: readonly IModel[],
) {
  if (serving === undefined) return { versionAlias: "", deployedModelId: "", versionId: "" };
  const {
    id,
    traffic: _traffic,
    displayName: _displayName,
    modelName,
    autoscaling,
    ...fields
  } = serving;
  return {
    ...fields,
    modelName: sameResource(modelName, recorded.modelName) ? recorded.modelName : modelName,
    deployedModelId: id,
    versionId: versionWithAlias(versions, fields.versionAlias)?.versionId ?? recorded.versionId,
    // Without declared targets the platform's own are nobody's drift.
    autoscaling: recorded.autoscaling.length === 0 ? [] : autoscaling,
  };
}

/** The old one of a held split, while it and its candidate are deployed. */
function held(
  endpoint: ObservedEndpoint,
  recorded: ModelDeploymentOutputs,
): DeployedModel | undefined {
  const { canary } = recorded;
  if (canary === null) return undefined;
  const isThere = (id: string) => endpoint.ours.find((model) => model.id === id);
  if (isThere(canary.candidate.deployedModelId) === undefined) return undefined;
  return isThere(canary.stable.deployedModelId);
}

function describeDrift(
  endpoint: ObservedEndpoint,
  serving: DeployedModel | undefined,
  recorded: ModelDeploymentOutputs,
): string[] {
  const stable = held(endpoint, recorded);
  const share = stable === undefined ? 100 : (recorded.canary?.step ?? 100);
  const found: string[] = [];
  if (serving === undefined) found.push("no model of this stack is deployed");
  for (const model of endpoint.foreign) {
    found.push(
      `"${model.displayName}" (${model.id}) was deployed by ${deployerOf(model.displayName)}`,
    );
  }
  for (const model of endpoint.ours) {
    if (model !== serving && model !== stable)
      found.push(`"${model.displayName}" (${model.id}) is deployed as well`);
  }
  if (recorded.canary && stable === undefined) found.push("the held split lost one of its models");
  if (serving !== undefined && serving.traffic !== share) {
    found.push(
      `"${serving.displayName}" gets ${serving.traffic} % of the requests, not ${share} %`,
    );
  }
  if (stable !== undefined && !hasReplicas(stable, recorded)) {
    found.push(`"${stable.displayName}" has other replicas than declared`);
  }
  return found;
}

/** What the last step of a rollout has still to do, in words. While a split is held, the aliases stay with the old one. */
function describeLeft(
  versions: readonly IModel[],
  servedId: string,
  stable: DeployedModel | undefined,
  recorded: ModelDeploymentOutputs,
): string[] {
  if (servedId === "") return [];
  if (stable === undefined) {
    return untidied(versions, servedId, recorded, recorded.heldVersions);
  }
  const version = versionWithAlias(versions, stable.versionAlias);
  return version?.versionId ? aliasDrift(versions, version.versionId) : [];
}

async function versionsOf(recorded: ModelDeploymentOutputs): Promise<IModel[]> {
  const connection = requireConnection(recorded.emulator);
  const client = await modelClient(connection, locationOf(recorded.modelName));
  return retrying(() => listVersions(client, recorded.modelName));
}
