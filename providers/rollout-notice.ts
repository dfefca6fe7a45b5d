import type { RefusedSpec } from "./canary.ts";
import type { ModelDeploymentInputs } from "./deployment.ts";

const NOTICED = [
  "versionAlias",
  "machineType",
  "acceleratorType",
  "acceleratorCount",
  "spot",
  "serviceAccount",
] as const;

type Noticed = Pick<ModelDeploymentInputs, (typeof NOTICED)[number]>;

/** What a rollout goes from and to, and how, in words for a preview; null when nothing immutable changes. */
export function rolloutNotice(
  recorded: Noticed,
  wanted: Noticed & Pick<ModelDeploymentInputs, "rollout" | "canarySteps" | "canaryPercent">,
): string | null {
  const changed = NOTICED.filter((key) => recorded[key] !== wanted[key]);
  if (changed.length === 0) return null;
  if (recorded.versionAlias === "")
    return `deploys ${wanted.versionAlias} again: nothing is deployed`;
  const steps = changed.map(
    (key) => `${key} ${recorded[key] ?? "none"} -> ${wanted[key] ?? "none"}`,
  );
  const { canaryPercent, rollout } = wanted;
  const how = canaryPercent === null ? HOW[rollout](wanted) : howHeld(canaryPercent);
  return `rolls out ${steps.join(", ")}: ${how}`;
}

const HOW: Readonly<
  Record<
    ModelDeploymentInputs["rollout"],
    (wanted: Pick<ModelDeploymentInputs, "canarySteps">) => string
  >
> = {
  surge: () => "old and new run side by side, both billed, until the new one answers",
  recreate: () =>
    "the old one is undeployed first (rollout: recreate), so the endpoint is down until the new one answers, about 20 minutes with a GPU",
  canary: ({ canarySteps }) =>
    `the new one gets ${canarySteps.join(" %, ")} % of the requests, step by step (rollout: canary), both billed until the last step is passed`,
};

function howHeld(percent: number): string {
  return `the new one gets ${percent} % of the requests and is held there (canaryPercent), both billed, until canaryPercent is taken away`;
}

/** Why nothing will be rolled out, in words for a preview. */
export function refusedNotice({ versionAlias, step, reason }: RefusedSpec): string {
  return `${versionAlias} is refused: its canary was rolled back at ${step} %, because ${reason}. Change archive or settings, or set "retryRollout: true"`;
}
