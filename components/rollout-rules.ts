import type { RolloutKind } from "@vertex-diffusion/providers/deployment";

import type { Problem } from "./machine-rules.ts";
import type { Settings } from "./settings.ts";

/** Alias of a model version. */
const VERSION_ALIAS = /^sha-[0-9a-f]{12}$/;

const ROLLOUTS: readonly RolloutKind[] = ["surge", "recreate", "canary"];

/** What is wrong with how a new deployment is to take over. */
export function checkRollout(settings: Settings): Problem[] {
  const problems: Problem[] = [];
  const { rollout, canarySteps, canaryBakeSeconds, canaryMinSamples, maxLatencyRatio } = settings;
  if (!ROLLOUTS.includes(rollout)) {
    const offered = ROLLOUTS.map((kind) => `"${kind}"`).join(", ");
    problems.push({
      setting: "rollout",
      reason: `"${String(rollout)}" is not a kind of rollout. Offered: ${offered}.`,
    });
  }
  if (!areSteps(canarySteps)) {
    problems.push({
      setting: "canarySteps",
      reason: `${JSON.stringify(canarySteps)} are not steps. Set whole percents that rise to 100: [10, 50, 100].`,
    });
  }
  if (!Number.isInteger(canaryBakeSeconds) || canaryBakeSeconds < 0) {
    problems.push({
      setting: "canaryBakeSeconds",
      reason: `${canaryBakeSeconds} is not a time. Set whole seconds, 0 or more.`,
    });
  }
  if (!Number.isInteger(canaryMinSamples) || canaryMinSamples < 1) {
    problems.push({
      setting: "canaryMinSamples",
      reason: `${canaryMinSamples} would prove nothing. Set 1 or more.`,
    });
  }
  if (!(maxLatencyRatio > 1 && Number.isFinite(maxLatencyRatio))) {
    problems.push({
      setting: "maxLatencyRatio",
      reason: `${maxLatencyRatio} is not above 1. Set how many times slower a canary may answer: "1.5", say.`,
    });
  }
  const { canaryPercent, pin } = settings;
  if (pin !== null && !VERSION_ALIAS.test(pin)) {
    problems.push({
      setting: "pin",
      reason: `"${pin}" is not the alias of a version. Example: "sha-0123456789ab"; "npm run rollback" finds and sets the one before.`,
    });
  }
  if (canaryPercent !== null) {
    if (!Number.isInteger(canaryPercent) || canaryPercent < 1 || canaryPercent > 99) {
      problems.push({
        setting: "canaryPercent",
        reason: `${canaryPercent} is not a share to hold. Set 1 to 99, or 0 to let the new one take over.`,
      });
    } else if (rollout === "recreate") {
      problems.push({
        setting: "canaryPercent",
        reason: `it needs old and new side by side, which "rollout: recreate" rules out. Set rollout to "surge" or "canary".`,
      });
    }
  }
  return problems;
}

function areSteps(steps: unknown): boolean {
  if (!Array.isArray(steps) || steps.at(-1) !== 100) return false;
  return steps.every(
    (step, index) =>
      Number.isInteger(step) && Number(step) > Number(index === 0 ? 0 : steps[index - 1]),
  );
}
