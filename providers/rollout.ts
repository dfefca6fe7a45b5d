import { isDeepStrictEqual } from "node:util";

import { RefusedError, holdCanary, rollBack, runCanary, specOf, stableOf } from "./canary.ts";
import type { CanaryState, RefusedSpec } from "./canary.ts";
import { endpointClient, modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { servesSpec } from "./deployed.ts";
import type { ModelDeploymentInputs, ModelDeploymentOutputs } from "./deployment.ts";
import { Code, ReconcileError, UnfinishedError, codeOf, explain } from "./errors.ts";
import { locationOf } from "./names.ts";
import { waitForEnd } from "./operations.ts";
import { retrying } from "./retry.ts";
import {
  ensureDeployed,
  ensureReplicas,
  ensureTraffic,
  observeOurs,
  settled,
  undeployOthers,
} from "./rollout-steps.ts";
import type { Rollout } from "./rollout-steps.ts";
import { declaredLimit } from "./time-limits.ts";
import { listVersions, versionWithAlias } from "./versions.ts";

/** What a rollout came to. */
export interface RolledOut {
  readonly deployedModelId: string;
  readonly versionId: string;
  /** The held split; null when one model serves alone. */
  readonly canary: CanaryState | null;
}

/**
 * Brings the endpoint to the wanted deployment in the way that `rollout` names. Replica settings change in place. Each
 * cycle observes first, so it goes on from wherever an earlier one stopped. Aliases and old versions are left to tidyUp.
 */
export async function rollOut(
  inputs: ModelDeploymentInputs,
  recorded: ModelDeploymentOutputs | null,
): Promise<RolledOut> {
  const client = await endpointClient(
    requireConnection(inputs.emulator),
    locationOf(inputs.endpoint),
  );
  const wait = {
    limit: declaredLimit(inputs, "deployTimeoutSeconds"),
    urn: inputs.progressUrn,
    what: `deployment of "${inputs.versionAlias}" to endpoint "${inputs.endpoint}"`,
  };
  if (recorded?.pending) await waitForEnd(client, recorded.pending, wait);
  const versionId = await resolveVersion(inputs);
  const rollout: Rollout = { client, inputs, versionId, wait };
  try {
    const refused = refusalOf(inputs, recorded);
    if (refused !== null) {
      const endpoint = await retrying(() => observeOurs(rollout));
      throw await rollBack(rollout, stableOf(endpoint, inputs, recorded), refused);
    }
    const hold = await holdIfDeclared(rollout, recorded);
    if (hold !== null) {
      return { deployedModelId: hold.candidate.deployedModelId, versionId, canary: hold };
    }
    if (inputs.rollout === "canary") await tryOut(rollout, recorded);
    const deployedModelId = await settled(rollout, async () => {
      if (inputs.rollout === "recreate") await makeRoom(rollout);
      const candidate = await ensureDeployed(rollout);
      await ensureReplicas(rollout, candidate);
      await ensureTraffic(rollout, { [candidate.id]: 100 });
      await undeployOthers(rollout, candidate.id);
      return candidate.id;
    });
    return { deployedModelId, versionId, canary: null };
  } catch (error) {
    throw await withWhatServes(rollout, error);
  }
}

/** The memory of a canary of this very spec that was rolled back; null when it may be rolled out. */
export function refusalOf(
  wanted: ModelDeploymentInputs,
  recorded: Pick<ModelDeploymentOutputs, "refused"> | null,
): RefusedSpec | null {
  const refused = recorded?.refused ?? null;
  if (refused === null || wanted.retryRollout) return null;
  return isDeepStrictEqual(specOf(refused), specOf(wanted)) ? refused : null;
}

/** canaryPercent: old and new share the traffic until it is taken away; null where there is no old one to share with. */
async function holdIfDeclared(
  rollout: Rollout,
  recorded: ModelDeploymentOutputs | null,
): Promise<CanaryState | null> {
  const { canaryPercent } = rollout.inputs;
  // What served alone so far, or goes on as the old one of a held split, is nobody's candidate.
  const isHeld = Boolean(recorded?.canary);
  if (canaryPercent === null || (!isHeld && isProven(rollout.inputs, recorded))) return null;
  return settled(rollout, async () => {
    const endpoint = await observeOurs(rollout);
    const wantedId = endpoint.ours.find((model) => servesSpec(model, rollout.inputs))?.id;
    if (isHeld && wantedId === recorded?.canary?.stable.deployedModelId) return null;
    const stable = stableOf(endpoint, rollout.inputs, recorded);
    return stable === undefined ? null : holdCanary(rollout, stable, canaryPercent);
  });
}

/** canary: deploys the new one and proves it step by step beside the old one, where there is an old one. */
async function tryOut(rollout: Rollout, recorded: ModelDeploymentOutputs | null): Promise<void> {
  if (isProven(rollout.inputs, recorded)) return;
  const stable = await settled(rollout, async () =>
    stableOf(await observeOurs(rollout), rollout.inputs, recorded),
  );
  if (stable === undefined) return;
  const candidate = await settled(rollout, async () => {
    const deployed = await ensureDeployed(rollout);
    await ensureReplicas(rollout, deployed);
    return deployed;
  });
  await runCanary(rollout, stable, candidate);
}

/** Whether the wanted one is what served already: then whatever else is deployed is a leftover, not an old one. */
function isProven(wanted: ModelDeploymentInputs, recorded: ModelDeploymentOutputs | null): boolean {
  if (recorded === null || recorded.pending !== null) return false;
  return isDeepStrictEqual(specOf(recorded), specOf(wanted));
}

async function resolveVersion(inputs: ModelDeploymentInputs): Promise<string> {
  const client = await modelClient(
    requireConnection(inputs.emulator),
    locationOf(inputs.modelName),
  );
  const versions = await retrying(() => listVersions(client, inputs.modelName));
  const version = versionWithAlias(versions, inputs.versionAlias);
  if (version?.versionId) return version.versionId;
  throw new ReconcileError(
    `Could not deploy: no version of model "${inputs.modelName}" bears the alias "${inputs.versionAlias}". Run "up" again; it uploads the version first.`,
  );
}

/** recreate: what serves leaves before the new one comes. */
async function makeRoom(rollout: Rollout): Promise<void> {
  const { ours } = await observeOurs(rollout);
  if (!ours.some((model) => servesSpec(model, rollout.inputs))) await undeployOthers(rollout);
}

/** The error with what a person must know of the old one: that it is gone, or that it takes the room for both. */
async function withWhatServes(rollout: Rollout, error: unknown): Promise<unknown> {
  if (error instanceof RefusedError) return error;
  const { endpoint: name, rollout: kind, versionAlias } = rollout.inputs;
  const now = await observeOurs(rollout).catch(() => null);
  if (now === null) return error;
  const { message } = explain(`deploy "${versionAlias}" to endpoint "${name}"`, error);
  if (kind === "recreate" && now.ours.length === 0) {
    const down = `${message} Nothing serves at endpoint "${name}" now: rollout is "recreate", so what served was undeployed first.`;
    if (error instanceof UnfinishedError) return new UnfinishedError(down, error.pending);
    return new ReconcileError(
      `${down} Mend that, or go back to the old archive or settings, then run "up" again.`,
      { cause: error },
    );
  }
  const old = now.ours.find((model) => model.traffic > 0);
  if (old === undefined || codeOf(error) !== Code.RESOURCE_EXHAUSTED) return error;
  return new ReconcileError(
    `${message} "${old.displayName}" goes on serving; when there is no room for both, set "rollout: recreate", which undeploys it first.`,
    { cause: error },
  );
}
