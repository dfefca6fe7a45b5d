import { measureBaseline, judgeStep } from "./canary-judge.ts";
import type { CanaryLimits } from "./canary-judge.ts";
import { predictionClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { servesSpec } from "./deployed.ts";
import type { DeployedModel, FixedSpec, ObservedEndpoint } from "./deployed.ts";
import { showProgress } from "./engine.ts";
import { ReconcileError, UnfinishedError, explain } from "./errors.ts";
import type { PendingOperation } from "./errors.ts";
import { locationOf } from "./names.ts";
import { endpointProbe } from "./probe.ts";
import type { Probe } from "./probe.ts";
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

/** Two deployed models that share the traffic: the old one and the one on trial. */
export interface CanaryState {
  readonly stable: DeployedRef;
  readonly candidate: DeployedRef;
  /** Percent of the requests that the candidate gets. */
  readonly step: number;
}

export interface DeployedRef {
  readonly deployedModelId: string;
  readonly versionAlias: string;
}

/** A spec whose canary was rolled back: it is refused until it changes or `retryRollout` is set. */
export interface RefusedSpec extends FixedSpec {
  /** What the candidate did, in words. */
  readonly reason: string;
  /** Percent of the requests that it got then. */
  readonly step: number;
}

/** The candidate was rolled back, now or by an earlier run. */
export class RefusedError extends ReconcileError {
  readonly refused: RefusedSpec;
  /** What serves instead; undefined when that could not be seen. */
  readonly serving: DeployedModel | undefined;
  /** An operation of the way back whose end was not seen. */
  readonly pending: PendingOperation | null;

  constructor(
    message: string,
    refused: RefusedSpec,
    serving: DeployedModel | undefined,
    pending: PendingOperation | null = null,
  ) {
    super(message);
    this.name = "RefusedError";
    this.refused = refused;
    this.serving = serving;
    this.pending = pending;
  }
}

/** How long beyond the bake time a candidate may take to give its answers. */
const SAMPLE_BUDGET_MS = 15 * 60_000;
/** Longest wait for one probe: what a shared endpoint allows. */
const PROBE_TIMEOUT_MS = 60_000;

/** What is known of the last run: enough to tell the old one from the one on trial. */
export type Remembered = FixedSpec & { readonly canary?: CanaryState | null };

/** The old one among this stack's deployed models; undefined when nothing but the wanted one is there. */
export function stableOf(
  endpoint: ObservedEndpoint,
  wanted: FixedSpec,
  remembered: Remembered | null,
): DeployedModel | undefined {
  const others = endpoint.ours.filter((model) => !servesSpec(model, wanted));
  const recordedId = remembered?.canary?.stable.deployedModelId;
  return (
    others.find((model) => model.id === recordedId) ??
    others.find((model) => remembered !== null && servesSpec(model, remembered)) ??
    [...others].sort((a, b) => b.traffic - a.traffic)[0]
  );
}

/**
 * Gives the candidate its share step by step, each step with probes and a bake time, from the old one at 100 % on: also
 * after a crash in mid-canary. A candidate that fails is rolled back and undeployed. Throws RefusedError.
 */
export async function runCanary(
  rollout: Rollout,
  stable: DeployedModel,
  candidate: DeployedModel,
): Promise<void> {
  const { inputs } = rollout;
  const limits: CanaryLimits = {
    minSamples: inputs.canaryMinSamples,
    maxLatencyRatio: inputs.maxLatencyRatio,
  };
  const show = (line: string) => showProgress(inputs.progressUrn, line);
  await retrying(() => ensureTraffic(rollout, { [stable.id]: 100 }));
  const probe = await probeOf(rollout);
  show("canary: measuring the old one");
  const baseline = await measureBaseline(probe, limits.minSamples);
  const bakeMs = inputs.canaryBakeSeconds * 1000;
  try {
    for (const percent of inputs.canarySteps) {
      await retrying(() => ensureTraffic(rollout, shares(stable.id, candidate.id, percent)));
      show(`canary: ${percent} % to "${inputs.versionAlias}"`);
      const step = { candidateId: candidate.id, bakeMs, budgetMs: bakeMs + SAMPLE_BUDGET_MS };
      const reason = await judgeStep(probe, step, baseline, limits);
      if (reason !== null) {
        const refused = { ...specOf(inputs), reason, step: percent };
        throw await rollBack(rollout, stable, refused);
      }
    }
  } catch (error) {
    // Whatever ended it, nobody watches the candidate any more.
    if (!(error instanceof RefusedError)) await giveBack(rollout, stable);
    throw error;
  }
}

/** The split in which the candidate gets `percent`. */
export function shares(stableId: string, candidateId: string, percent: number) {
  return { [stableId]: 100 - percent, [candidateId]: percent };
}

/** All traffic back to the old one and the candidate undeployed: also when an earlier run could not end that. */
export async function rollBack(
  rollout: Rollout,
  stable: DeployedModel | undefined,
  refused: RefusedSpec,
): Promise<RefusedError> {
  const { endpoint, versionAlias } = rollout.inputs;
  const what = `The canary of "${versionAlias}" at endpoint "${endpoint}" was rolled back at ${refused.step} %: ${refused.reason}.`;
  const next = `It is refused until archive or settings change, or "retryRollout: true" is set.`;
  if (stable === undefined) return new RefusedError(`${what} ${next}`, refused, undefined);
  try {
    await retrying(() => ensureTraffic(rollout, { [stable.id]: 100 }));
    await settled(rollout, () => undeployOthers(rollout, stable.id));
    const serves = `"${stable.displayName}" serves all requests.`;
    return new RefusedError(`${what} ${serves} ${next}`, refused, { ...stable, traffic: 100 });
  } catch (error) {
    const { message } = explain("undeploy it", error);
    const pending = error instanceof UnfinishedError ? error.pending : null;
    return new RefusedError(
      `${what} The way back is not finished: ${message} The next "up" ends it. ${next}`,
      refused,
      stable,
      pending,
    );
  }
}

/** Best effort: the error that led here says more than one of the way back, and the next run begins with this call. */
async function giveBack(rollout: Rollout, stable: DeployedModel): Promise<void> {
  await ensureTraffic(rollout, { [stable.id]: 100 }).catch(() => undefined);
}

/** Brings candidate and old one to the held split, with the declared replicas for both. */
export async function holdCanary(
  rollout: Rollout,
  stable: DeployedModel,
  percent: number,
): Promise<CanaryState> {
  const { inputs } = rollout;
  const { ours } = await observeOurs(rollout);
  const present = ours.find((model) => servesSpec(model, inputs));
  // A candidate that this one replaces leaves first: its accelerators may be needed.
  await undeployOthers(rollout, stable.id, ...(present === undefined ? [] : [present.id]));
  const candidate = await ensureDeployed(rollout);
  await ensureReplicas(rollout, candidate);
  await ensureReplicas(rollout, stable);
  await ensureTraffic(rollout, shares(stable.id, candidate.id, percent));
  return { stable: refOf(stable), candidate: refOf(candidate), step: percent };
}

function refOf(model: DeployedModel): DeployedRef {
  return { deployedModelId: model.id, versionAlias: model.versionAlias };
}

/** The part of a spec by which a refused one is recognised. */
export function specOf(spec: FixedSpec): FixedSpec {
  const { modelName, versionAlias, machineType } = spec;
  const { acceleratorType, acceleratorCount, spot, serviceAccount } = spec;
  return {
    ...{ modelName, versionAlias, machineType },
    ...{ acceleratorType, acceleratorCount, spot, serviceAccount },
  };
}

async function probeOf(rollout: Rollout): Promise<Probe> {
  const { inputs } = rollout;
  const { dedicatedDns } = await retrying(() => observeOurs(rollout));
  const connection = requireConnection(inputs.emulator);
  const client = await predictionClient(connection, locationOf(inputs.endpoint), dedicatedDns);
  return endpointProbe(client, inputs.endpoint, PROBE_TIMEOUT_MS);
}
