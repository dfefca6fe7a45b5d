import type { ProviderConfig } from "./provider-config.ts";
import type { Labels, Properties } from "./resource-type.ts";
import { hasUnknown, isRecord } from "./resource-type.ts";

/** Label that the official provider sets on what it creates, and keeps where it is. */
const ATTRIBUTION_LABEL = "goog-pulumi-provisioned";

export interface PlannedLabels {
  /** The provider's default labels, the attribution label and the declared ones. */
  readonly pulumiLabels: Labels;
  /** All labels of the resource: those set by others stay. */
  readonly effectiveLabels: Labels;
}

/**
 * Labels that a resource is to have; undefined while a declared label is unknown. Without `recorded` the resource is to be
 * created. Labels are not authoritative: one that another client set stays and is no difference.
 */
export function planLabels(
  config: ProviderConfig,
  inputs: Properties,
  recorded?: Properties,
): PlannedLabels | undefined {
  if (hasUnknown(inputs.labels)) return undefined;

  const recordedEffective = toLabels(recorded?.effectiveLabels);
  const attributed = recorded === undefined || ATTRIBUTION_LABEL in recordedEffective;
  const pulumiLabels = {
    ...config.defaultLabels,
    ...(config.addAttributionLabel && attributed ? { [ATTRIBUTION_LABEL]: "true" } : {}),
    ...toLabels(inputs.labels),
  };

  const recordedOurs = toLabels(recorded?.pulumiLabels);
  const others = Object.entries(recordedEffective).filter(([key]) => !(key in recordedOurs));
  return { pulumiLabels, effectiveLabels: { ...Object.fromEntries(others), ...pulumiLabels } };
}

/** The three label outputs as Google has them now: of `labels` and `pulumiLabels` only the keys that were recorded. */
export function readLabels(
  actual: unknown,
  recorded: { readonly labels?: unknown; readonly pulumiLabels?: unknown },
): { labels?: Labels; pulumiLabels: Labels; effectiveLabels: Labels } {
  const effectiveLabels = toLabels(actual);
  const ofRecorded = (labels: unknown) =>
    Object.fromEntries(Object.entries(effectiveLabels).filter(([key]) => key in toLabels(labels)));
  return {
    ...(isRecord(recorded.labels) ? { labels: ofRecorded(recorded.labels) } : {}),
    pulumiLabels: ofRecorded(recorded.pulumiLabels),
    effectiveLabels,
  };
}

export function toLabels(value: unknown): Labels {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}
