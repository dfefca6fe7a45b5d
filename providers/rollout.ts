import { endpointClient, modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { servesSpec } from "./deployed.ts";
import type { ModelDeploymentInputs } from "./deployment.ts";
import { Code, ReconcileError, UnfinishedError, codeOf, explain } from "./errors.ts";
import type { PendingOperation } from "./errors.ts";
import { locationOf } from "./names.ts";
import { waitForEnd, waitForRunning } from "./operations.ts";
import { retrying } from "./retry.ts";
import {
  ensureDeployed,
  ensureReplicas,
  ensureTraffic,
  observeOurs,
  undeployOthers,
} from "./rollout-steps.ts";
import type { Rollout } from "./rollout-steps.ts";
import { ENDPOINT_OPERATIONS } from "./undeploy.ts";
import { listVersions, versionWithAlias } from "./versions.ts";

/**
 * Brings the endpoint to the wanted deployment in the way that `rollout` names. Replica settings change in place. Each
 * cycle observes first, so it goes on from wherever an earlier one stopped. Aliases and old versions are left to tidyUp.
 */
export async function rollOut(inputs: ModelDeploymentInputs, pending: PendingOperation | null) {
  const client = await endpointClient(
    requireConnection(inputs.emulator),
    locationOf(inputs.endpoint),
  );
  const wait = {
    timeoutMs: inputs.deployTimeoutSeconds * 1000,
    urn: inputs.progressUrn,
    what: `deployment of "${inputs.versionAlias}" to endpoint "${inputs.endpoint}"`,
  };
  if (pending !== null) await waitForEnd(client, pending, wait);
  const versionId = await resolveVersion(inputs);
  const rollout: Rollout = { client, inputs, versionId, wait };
  try {
    const deployedModelId = await retrying(async () => {
      await waitForRunning(client, inputs.endpoint, ENDPOINT_OPERATIONS, wait);
      if (inputs.rollout === "recreate") await makeRoom(rollout);
      const candidate = await ensureDeployed(rollout);
      await ensureReplicas(rollout, candidate);
      await ensureTraffic(rollout, { [candidate.id]: 100 });
      await undeployOthers(rollout, candidate.id);
      return candidate.id;
    });
    return { deployedModelId, versionId };
  } catch (error) {
    throw await withWhatServes(rollout, error);
  }
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
