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
  wanted: Noticed & Pick<ModelDeploymentInputs, "rollout">,
): string | null {
  const changed = NOTICED.filter((key) => recorded[key] !== wanted[key]);
  if (changed.length === 0) return null;
  if (recorded.versionAlias === "")
    return `deploys ${wanted.versionAlias} again: nothing is deployed`;
  const steps = changed.map(
    (key) => `${key} ${recorded[key] ?? "none"} -> ${wanted[key] ?? "none"}`,
  );
  return `rolls out ${steps.join(", ")}: ${HOW[wanted.rollout]}`;
}

const HOW: Readonly<Record<ModelDeploymentInputs["rollout"], string>> = {
  surge: "old and new run side by side, both billed, until the new one answers",
  recreate:
    "the old one is undeployed first (rollout: recreate), so the endpoint is down until the new one answers, about 20 minutes with a GPU",
};
