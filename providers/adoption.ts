import { compare, inputsOf } from "./changes.ts";
import type { Changes, EffectTable } from "./changes.ts";
import { check as checkConnection } from "./check.ts";
import type { FixedSpec, ScalingSpec } from "./deployed.ts";
import type { ModelDeploymentInputs } from "./deployment.ts";
import { say } from "./engine.ts";
import { ReconcileError, explain } from "./errors.ts";
import { adoptionNotice, findProblems } from "./adoption-rules.ts";
import { giveBack, observeAdoptable, putMarks } from "./adoption-steps.ts";
import { ADOPTED_LABEL, isMarked, isOurs } from "./ownership.ts";
import { SCHEMA, plain } from "./results.ts";
import type { ReadResult, Reconciled } from "./results.ts";
import { retrying } from "./retry.ts";

/** What the stack file declares of the things that it takes over. */
export type DeclaredServing = Omit<FixedSpec, "modelName" | "versionAlias"> &
  ScalingSpec &
  Pick<ModelDeploymentInputs, "rollout" | "canarySteps" | "canaryPercent"> & {
    readonly dedicatedEndpoint: boolean;
    readonly kmsKey: string | null;
  };

/**
 * Takes over an endpoint, a model and what is deployed there, all made by hand: puts this stack's marks on them, so that the
 * resources after it find them as their own. Changes nothing that serves. Its delete takes the marks off whatever is left.
 */
export interface AdoptionInputs {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
  /** projects/P/locations/L/endpoints/E. */
  readonly endpoint: string;
  /** projects/P/locations/L/models/M. */
  readonly modelName: string;
  /** Number of the version that the endpoint serves. */
  readonly version: string;
  /** Alias of the declared serving spec: that version gets it, since a container spec can't be read back from Vertex AI. */
  readonly versionAlias: string;
  readonly declared: DeclaredServing;
  /** Resource whose Info column shows what the takeover means. */
  readonly progressUrn: string;
}

export interface AdoptionOutputs extends AdoptionInputs, Reconciled {
  /** Id of the deployed model that was taken over; empty when the stack had rolled out its own already. */
  readonly deployedModelId: string;
}

/** Once it is taken over, what the stack file says of it is the other resources' matter. */
export const effects: EffectTable<AdoptionInputs> = {
  emulator: "none",
  stackUid: "replace",
  project: "none",
  endpoint: "replace",
  modelName: "replace",
  version: "none",
  versionAlias: "none",
  declared: "none",
  progressUrn: "none",
};

/** Refuses in preview what can't be taken over, and says what would not stay as it is. */
export async function check(recorded: Partial<AdoptionInputs> | undefined, wanted: AdoptionInputs) {
  const checked = await checkConnection(wanted, wanted);
  const isRecorded =
    recorded?.endpoint === wanted.endpoint && recorded?.modelName === wanted.modelName;
  if (isRecorded || checked.failures.length > 0) return checked;
  try {
    const found = await retrying(() => observeAdoptable(wanted));
    const failures = findProblems(wanted, found);
    if (failures.length === 0) say(wanted.progressUrn, adoptionNotice(wanted, found));
    return { inputs: wanted, failures };
  } catch (error) {
    const { message } = explain(`look at endpoint "${wanted.endpoint}"`, error);
    return { inputs: wanted, failures: [{ property: "endpoint", reason: message }] };
  }
}

export function diff(_id: string, recorded: AdoptionOutputs, wanted: AdoptionInputs): Changes {
  const changes = compare(effects, recorded, wanted);
  return { ...changes, changes: changes.changes || Boolean(recorded.drift) };
}

export async function create(inputs: AdoptionInputs) {
  try {
    const deployedModelId = await retrying(async () => {
      const found = await observeAdoptable(inputs);
      const [problem] = findProblems(inputs, found);
      if (problem !== undefined) throw new ReconcileError(problem.reason);
      await putMarks(inputs, found, found.served?.id ?? "");
      return found.served?.id ?? "";
    });
    const outs = { ...inputs, deployedModelId, schema: SCHEMA, pending: null, drift: null };
    return { id: inputs.endpoint, outs: plain(outs) };
  } catch (error) {
    throw explain(`adopt endpoint "${inputs.endpoint}"`, error);
  }
}

/** Puts back the marks that were taken off by hand. */
export async function update(_id: string, recorded: AdoptionOutputs, inputs: AdoptionInputs) {
  const { deployedModelId, version, versionAlias } = recorded;
  const target = { ...inputs, version, versionAlias };
  try {
    await retrying(async () => {
      await putMarks(target, await observeAdoptable(target), deployedModelId);
    });
    return { outs: plain({ ...recorded, ...target, drift: null }) };
  } catch (error) {
    throw explain(`mark endpoint "${inputs.endpoint}"`, error);
  }
}

/** What was taken over is gone when its endpoint or its model is, or when another stack has it. */
export async function read(
  id: string,
  recorded: AdoptionOutputs,
): Promise<ReadResult<AdoptionOutputs>> {
  try {
    const { endpoint, model } = await retrying(() => observeAdoptable(recorded));
    if (endpoint === null || model === null) return { id: "" };
    const marks = [endpoint.labels, model.labels];
    const lost = marks.filter((labels) => !isOurs(labels, recorded.stackUid));
    if (lost.some((labels) => isMarked(labels))) return { id: "" };
    const isServed = endpoint.deployedModels?.some(
      ({ id: one }) => one === recorded.deployedModelId,
    );
    const isUnnamed = isServed && endpoint.labels?.[ADOPTED_LABEL] === undefined;
    const drift =
      lost.length > 0 || isUnnamed ? "this stack's marks were taken off what it adopted" : null;
    const props = { ...recorded, drift };
    return { id, props: plain(props), inputs: plain(inputsOf(effects, props)) };
  } catch (error) {
    throw explain(`read endpoint "${recorded.endpoint}"`, error);
  }
}

/** Gives back whatever the other resources' deletes have left. */
export async function remove(_id: string, recorded: AdoptionOutputs): Promise<void> {
  await giveBack(recorded);
}
