import type { protos } from "@google-cloud/aiplatform";
import type { ModelServiceClient } from "@google-cloud/aiplatform/build/src/v1/model_service_client.js";

import { compare, driftNotice, inputsOf } from "./changes.ts";
import type { Changes, EffectTable } from "./changes.ts";
import { modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { say } from "./engine.ts";
import { Code, codeOf, explain, nullIfNotFound } from "./errors.ts";
import type { PendingOperation } from "./errors.ts";
import { migrateModel } from "./migrations.ts";
import { ensureDescription, namesOf, observedDescription } from "./model-description.ts";
import { locationOf } from "./names.ts";
import { accept, waitFor, waitForEnd, waitForRunning } from "./operations.ts";
import type { WaitOptions } from "./operations.ts";
import { isOurs, requireOurs, withMarks } from "./ownership.ts";
import { SCHEMA, asPartialFailure, plain, stillPending } from "./results.ts";
import type { ReadResult, Reconciled } from "./results.ts";
import { retrying } from "./retry.ts";
import type { ServingSpec } from "./serving-spec.ts";
import { declaredLimit, recordedLimit } from "./time-limits.ts";
import { listVersions, versionWithAlias } from "./versions.ts";

export { check } from "./check.ts";

type IModel = protos.google.cloud.aiplatform.v1.IModel;

/** One registry model per stack; each serving spec is a version of it. */
export interface VertexModelInputs {
  /** True on a stack that runs against the local Vertex AI. */
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
  /** Region, "us-central1". */
  readonly location: string;
  /** Chosen id of the model: up to 63 of [a-z0-9_-], first no digit or hyphen. */
  readonly modelId: string;
  /** projects/P/locations/L/models/M: an input, so that previews know it. */
  readonly modelName: string;
  readonly displayName: string;
  readonly description: string;
  /** The user's labels; this stack's marks are added. */
  readonly labels: Readonly<Record<string, string>>;
  /** True for a model that was made by hand: its display name, description and other labels stay. */
  readonly adopted: boolean;
  /** Folder that holds model.mar. */
  readonly artifactUri: string;
  readonly servingSpec: ServingSpec;
  /** `sha-` and 12 hex digits over archive digest and serving spec: how a version is recognised. */
  readonly versionAlias: string;
  /** Longest wait for one upload, in seconds. */
  readonly uploadTimeoutSeconds: number;
  /** Longest wait for the model's deletion, in seconds. */
  readonly deleteTimeoutSeconds: number;
  /** Resource whose Info column shows progress. */
  readonly progressUrn: string;
}

export interface VertexModelOutputs extends VertexModelInputs, Reconciled {
  /** Version number that Google gave, "3"; empty when the version is gone. */
  readonly versionId: string;
}

export const effects: EffectTable<VertexModelInputs> = {
  emulator: "none",
  stackUid: "replace",
  project: "replace",
  location: "replace",
  modelId: "replace",
  modelName: "replace",
  displayName: "update",
  description: "update",
  labels: "update",
  adopted: "none",
  // What is registered was copied by Google; other bytes come with another versionAlias.
  artifactUri: "none",
  servingSpec: "update",
  versionAlias: "update",
  uploadTimeoutSeconds: "none",
  deleteTimeoutSeconds: "record",
  progressUrn: "none",
};

export function diff(_id: string, older: VertexModelOutputs, wanted: VertexModelInputs): Changes {
  const recorded = migrateModel(older);
  const rows = wanted.adopted
    ? ({ ...effects, displayName: "none", description: "none" } as const)
    : effects;
  const changes = compare(rows, recorded, wanted);
  return { ...changes, changes: changes.changes || Boolean(recorded.pending ?? recorded.drift) };
}

export async function create(inputs: VertexModelInputs) {
  return { id: inputs.modelName, outs: await reconcile(inputs, null) };
}

export async function update(_id: string, recorded: VertexModelOutputs, inputs: VertexModelInputs) {
  return { outs: await reconcile(inputs, migrateModel(recorded)) };
}

/**
 * Observes the model and its version as they are; never waits. A model that is gone or not ours is gone. One get by the
 * version's alias answers it all; only where no version bears it, a second one tells the model's absence from the version's.
 */
export async function read(
  id: string,
  older: VertexModelOutputs,
): Promise<ReadResult<VertexModelOutputs>> {
  const recorded = migrateModel(older);
  const client = await modelClient(requireConnection(recorded.emulator), recorded.location);
  try {
    const { modelName, modelId, versionAlias } = recorded;
    const version = await findModel(client, `${modelName}@${versionAlias}`);
    const found = version ?? (await findModel(client, modelName));
    if (found === null && recorded.pending !== null) return stillPending(id, recorded);
    if (found === null || !isOurs(found.labels, recorded.stackUid)) return { id: "" };
    const drift = version
      ? null
      : `no version of model "${modelId}" bears "${versionAlias}" any more`;
    const versionId = version?.versionId ?? "";
    const props = { ...recorded, ...observedDescription(found, recorded), versionId, drift };
    say(recorded.progressUrn, driftNotice(effects, recorded, props));
    return { id, props: plain(props), inputs: plain(inputsOf(effects, props)) };
  } catch (error) {
    throw explain(`read model "${recorded.modelName}"`, error);
  }
}

/** By the model's name its default version, by `MODEL@ALIAS` the one that bears the alias; null when there is none. */
async function findModel(client: ModelServiceClient, name: string): Promise<IModel | null> {
  const found = await retrying(() => client.getModel({ name }).catch(nullIfNotFound));
  return found?.[0] ?? null;
}

export async function remove(_id: string, recorded: VertexModelOutputs): Promise<void> {
  await deleteModelOf(migrateModel(recorded));
}

/** What identifies a stack's model: enough to sweep it when the engine never recorded it. */
export type ModelTarget = Pick<
  VertexModelInputs,
  "emulator" | "stackUid" | "modelName" | "deleteTimeoutSeconds"
>;

/** Deletes the model with all its versions when it bears this stack's mark. Gone already is success. */
export async function deleteModelOf(target: ModelTarget): Promise<void> {
  const name = target.modelName;
  const limit = recordedLimit(target, "deleteTimeoutSeconds");
  const wait: WaitOptions = { limit, what: `deletion of model "${name}"` };
  try {
    const client = await modelClient(requireConnection(target.emulator), locationOf(name));
    await retrying(async () => {
      await waitForRunning(client, name, ["uploadModel", "deleteModel"], wait);
      const found = await client.getModel({ name }).catch(nullIfNotFound);
      if (found === null || !isOurs(found[0].labels, target.stackUid)) return;
      const accepted = await accept("deleteModel", () => client.deleteModel({ name }));
      await waitFor(client, accepted, wait);
    });
  } catch (error) {
    if (codeOf(error) === Code.NOT_FOUND) return;
    throw explain(`delete model "${name}"`, error);
  }
}

async function reconcile(
  inputs: VertexModelInputs,
  recorded: VertexModelOutputs | null,
): Promise<VertexModelOutputs> {
  const { modelName } = inputs;
  const outputs = {
    ...inputs,
    versionId: "",
    schema: SCHEMA,
    pending: null,
    drift: null,
  };
  try {
    const versionId = await ensureVersion(inputs, recorded?.pending ?? null);
    const names = await retrying(() => ensureDescription(inputs, recorded, versionId));
    return plain({ ...outputs, ...names, versionId });
  } catch (error) {
    throw asPartialFailure(
      explain(`upload version "${inputs.versionAlias}" of model "${modelName}"`, error),
      modelName,
      outputs,
    );
  }
}

/** Finds the version of this serving spec, or waits for the upload that makes it, or uploads it. Returns its number. */
async function ensureVersion(
  inputs: VertexModelInputs,
  pending: PendingOperation | null,
): Promise<string> {
  const { modelName } = inputs;
  const client = await modelClient(requireConnection(inputs.emulator), inputs.location);
  const wait: WaitOptions = {
    limit: declaredLimit(inputs, "uploadTimeoutSeconds"),
    urn: inputs.progressUrn,
    what: `upload of model "${inputs.modelId}"`,
  };
  if (pending !== null) await waitForEnd(client, pending, wait);
  return retrying(async () => {
    await waitForRunning(client, modelName, ["uploadModel", "deleteModel"], wait);
    const found = await client.getModel({ name: modelName }).catch(nullIfNotFound);
    if (found !== null) {
      requireOurs(`model "${modelName}"`, found[0].labels, inputs.stackUid);
    }
    const versions = found === null ? [] : await listVersions(client, modelName);
    const existing = versionWithAlias(versions, inputs.versionAlias);
    if (existing?.versionId) return existing.versionId;

    const request =
      found === null
        ? toUploadRequest(inputs, null)
        : toUploadRequest({ ...inputs, ...namesOf(inputs, found[0]) }, modelName);
    const accepted = await accept("uploadModel", () => client.uploadModel(request));
    await waitFor(client, accepted, wait);
    const uploaded = versionWithAlias(await listVersions(client, modelName), inputs.versionAlias);
    if (uploaded?.versionId) return uploaded.versionId;
    throw new Error(`the upload ended, but no version bears "${inputs.versionAlias}"`);
  });
}

/**
 * UploadModelRequest: a new model with the chosen id and labels, or a new version of `parentModel`, whose labels a version's
 * own would hide.
 */
export function toUploadRequest(inputs: VertexModelInputs, parentModel: string | null) {
  const { servingSpec } = inputs;
  return {
    parent: `projects/${inputs.project}/locations/${inputs.location}`,
    ...(parentModel === null ? { modelId: inputs.modelId } : { parentModel }),
    model: {
      displayName: inputs.displayName,
      description: inputs.description,
      ...(parentModel === null ? { labels: withMarks(inputs.labels, inputs.stackUid) } : {}),
      versionAliases: [inputs.versionAlias],
      artifactUri: inputs.artifactUri,
      containerSpec: {
        imageUri: servingSpec.image,
        ...(servingSpec.predictRoute === null ? {} : { predictRoute: servingSpec.predictRoute }),
        ...(servingSpec.healthRoute === null ? {} : { healthRoute: servingSpec.healthRoute }),
        ports: servingSpec.ports.map((containerPort) => ({ containerPort })),
        env: Object.entries(servingSpec.env).map(([name, value]) => ({ name, value })),
      },
    },
  };
}
