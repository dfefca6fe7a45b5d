import type { Adoptable } from "./adoption-steps.ts";
import type { AdoptionInputs } from "./adoption.ts";
import type { DeployedModel, ScalingSpec } from "./deployed.ts";
import { lastSegment } from "./names.ts";
import { STACK_LABEL, isMarked, isOurs, ownerOf } from "./ownership.ts";
import { rolloutNotice } from "./rollout-notice.ts";
import { hasReplicas } from "./rollout-steps.ts";

/** One reason why something can't be taken over, and the input that names it. */
export interface AdoptionProblem {
  readonly property: "endpoint" | "modelName" | "version" | "declared";
  readonly reason: string;
}

/** Everything that stands in the way of a takeover; empty when nothing does. */
export function findProblems(inputs: AdoptionInputs, found: Adoptable): AdoptionProblem[] {
  const { endpoint, model } = found;
  const problems: AdoptionProblem[] = [];
  const names = [
    { property: "endpoint", what: "endpoint", name: inputs.endpoint, is: endpoint },
    { property: "modelName", what: "model", name: inputs.modelName, is: model },
  ] as const;
  for (const { property, what, name, is } of names) {
    const could = `Could not adopt ${what} "${name}"`;
    if (is === null) {
      const reason = `${could}: it does not exist. Name one that does under "adopt", or take "adopt" out of the stack file: the stack then makes its own.`;
      problems.push({ property, reason });
    } else if (isMarked(is.labels) && !isOurs(is.labels, inputs.stackUid)) {
      const reason = `${could}: it belongs to ${ownerOf(is.labels)}. Destroy that stack; if its state is lost, take the label "${STACK_LABEL}" off it by hand.`;
      problems.push({ property, reason });
    }
  }
  if (problems.length > 0 || found.isDone) return problems;
  return [...findServingProblems(inputs, found), ...findEndpointProblems(inputs, found)];
}

function findServingProblems(inputs: AdoptionInputs, found: Adoptable): AdoptionProblem[] {
  const { versions, served, others } = found;
  const { endpoint, modelName, version } = inputs;
  const could = `Could not adopt version ${version} of model "${modelName}"`;
  if (!versions.some(({ versionId }) => versionId === version)) {
    const numbers = versions.map(({ versionId }) => versionId).join(", ");
    const reason = `${could}: there is none; the model has ${numbers}. Name the one that endpoint "${lastSegment(endpoint)}" serves.`;
    return [{ property: "version", reason }];
  }
  if (served === null) {
    const instead =
      others.length === 0 ? "serves nothing" : `serves ${others.map(describe).join(", ")}`;
    const reason = `${could}: it is not deployed to endpoint "${endpoint}", which ${instead}. Name the version that is, or deploy this one by hand first.`;
    return [{ property: "version", reason }];
  }
  if (others.length === 0) return [];
  const reason = `Could not adopt endpoint "${endpoint}": beside ${describe(served)} it serves ${others.map(describe).join(", ")}, and this stack is to own all its traffic. Undeploy that by hand, then run the same command again.`;
  return [{ property: "endpoint", reason }];
}

function describe({ displayName, id, modelName, traffic }: DeployedModel): string {
  return `"${displayName}" (${id}, of model "${lastSegment(modelName)}", ${traffic} % of the requests)`;
}

/** What can't be changed on an endpoint has to be declared as it is. */
function findEndpointProblems(inputs: AdoptionInputs, { endpoint }: Adoptable): AdoptionProblem[] {
  const could = `Could not adopt endpoint "${inputs.endpoint}"`;
  const problems: AdoptionProblem[] = [];
  const isDedicated = endpoint?.dedicatedEndpointEnabled === true;
  if (isDedicated !== inputs.declared.dedicatedEndpoint) {
    const kind = isDedicated ? "a dedicated" : "a shared";
    const reason = `${could}: it is ${kind} one. Set "dedicatedEndpoint: ${isDedicated}" in the stack file.`;
    problems.push({ property: "declared", reason });
  }
  const key = endpoint?.encryptionSpec?.kmsKeyName || null;
  if (key !== inputs.declared.kmsKey) {
    const reason =
      key === null
        ? `${could}: it is encrypted with Google's own keys. Take "kmsKey" out of the stack file.`
        : `${could}: it is encrypted with "${key}". Set "kmsKey" to that in the stack file.`;
    problems.push({ property: "declared", reason });
  }
  return problems;
}

/** What the takeover does to what serves, in words for a preview. */
export function adoptionNotice(inputs: AdoptionInputs, found: Adoptable): string {
  const { served, isDone } = found;
  const { declared, version, versionAlias } = inputs;
  if (served === null || isDone) return "takes over what this stack has rolled out itself";
  const takes = `takes over "${served.displayName}" (${served.id}) with version ${version} as ${versionAlias}`;
  const rollout = rolloutNotice(served, { ...declared, versionAlias });
  if (rollout !== null) return `${takes}, then ${rollout}. Declare what is there to keep it`;
  if (hasReplicas(served, declared)) return `${takes}: nothing is deployed anew`;
  const change = `${replicasOf(served)} -> ${replicasOf(declared)}`;
  return `${takes}, then changes replicas in place (${change}): nothing is deployed anew`;
}

function replicasOf({ minReplicas, maxReplicas, autoscaling }: ScalingSpec): string {
  const targets = autoscaling.map(
    ({ metricName, target }) => `${lastSegment(metricName)} ${target} %`,
  );
  return [`${minReplicas} to ${maxReplicas}`, ...targets].join(", ");
}
