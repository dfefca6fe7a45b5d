import type { Settings } from "./settings.ts";

/** What this stack bills while it stands, in one sentence for every preview. */
export function billingNotice(settings: Settings): string {
  const { acceleratorCount, acceleratorType, machineType, region, minReplicas, maxReplicas } =
    settings;
  const replicas =
    minReplicas === maxReplicas ? `${minReplicas}` : `${minReplicas} to ${maxReplicas}`;
  const times = replicas === "1" ? "" : `${replicas} replicas of `;
  const what = `${times}${acceleratorCount} x ${acceleratorType} on ${machineType} in ${region}`;
  return settings.emulator
    ? `${what}: on the local Vertex AI this runs on the CPU and bills nothing.`
    : `${what}, billed from deploy until destroy, also when idle.`;
}
