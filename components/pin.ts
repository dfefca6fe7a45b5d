import type { Settings } from "./settings.ts";

/** What every preview and up says while a pin is set; null without one. */
export function pinNotice(
  { pin, stack }: Pick<Settings, "pin" | "stack">,
  declaredAlias: string,
): string | null {
  if (pin === null) return null;
  const instead =
    pin === declaredAlias
      ? "which is what archive and container declare now; a change of them will not be served"
      : `not what archive and container declare (${declaredAlias}), which is only registered`;
  return `Pinned to ${pin}, ${instead}. "npm run rollback -- --forward --stack ${stack}" takes the pin away.`;
}

/**
 * How a new deployment takes over. What is pinned has served before and is the way back: it gets all requests as soon as
 * it answers, and is not measured against the one that it replaces.
 */
export function takeoverOf({
  pin,
  rollout,
  canaryPercent,
}: Pick<Settings, "pin" | "rollout" | "canaryPercent">): Pick<
  Settings,
  "rollout" | "canaryPercent"
> {
  if (pin === null || rollout === "recreate") return { rollout, canaryPercent };
  return { rollout: "surge", canaryPercent: null };
}
