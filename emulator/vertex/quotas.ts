import { ApiError } from "../errors.ts";
import type { DeployedModelDocument } from "./types.ts";

/** region -> accelerator -> GPUs that all deployed models together may have. null = no limit. */
export type QuotaTable = Readonly<Record<string, Readonly<Record<string, number | null>>>>;

/** Metric names as gcloud knows them; those not here follow the same form (not confirmed). */
const METRICS: Readonly<Record<string, string>> = {
  NVIDIA_TESLA_T4: "custom_model_serving_nvidia_t4_gpus",
  NVIDIA_L4: "custom_model_serving_nvidia_l4_gpus",
  NVIDIA_TESLA_P100: "custom_model_serving_nvidia_p100_gpus",
  NVIDIA_TESLA_P4: "custom_model_serving_nvidia_p4_gpus",
  NVIDIA_TESLA_V100: "custom_model_serving_nvidia_v100_gpus",
  NVIDIA_TESLA_A100: "custom_model_serving_nvidia_a100_gpus",
  NVIDIA_A100_80GB: "custom_model_serving_nvidia_a100_80gb_gpus",
  NVIDIA_H100_80GB: "custom_model_serving_nvidia_h100_gpus",
  NVIDIA_RTX_PRO_6000: "custom_model_serving_nvidia_rtx_pro_6000_gpus",
};

/** Google's listed defaults (2026-11); new projects may have less. What is not listed has no limit here. */
const DEFAULTS: QuotaTable = {
  "us-central1": {
    NVIDIA_TESLA_T4: 12,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P100: 56,
    NVIDIA_TESLA_P4: 6,
    NVIDIA_TESLA_V100: 6,
    NVIDIA_TESLA_A100: 14,
    NVIDIA_A100_80GB: 1,
    NVIDIA_H100_80GB: 16,
    NVIDIA_H200_141GB: 0,
    NVIDIA_B200: 0,
    NVIDIA_GB200: 0,
    NVIDIA_H100_MEGA_80GB: 0,
  },
  "us-east1": { NVIDIA_TESLA_T4: 12, NVIDIA_L4: 28, NVIDIA_TESLA_P100: 30 },
  "us-east4": { NVIDIA_L4: 28, NVIDIA_TESLA_P4: 6, NVIDIA_A100_80GB: 1, NVIDIA_H100_80GB: 0 },
  "us-west1": {
    NVIDIA_TESLA_T4: 12,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P100: 30,
    NVIDIA_TESLA_V100: 6,
    NVIDIA_H100_80GB: 8,
  },
  "europe-west1": { NVIDIA_L4: 28, NVIDIA_TESLA_P100: 30 },
  "europe-west4": {
    NVIDIA_TESLA_T4: 12,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P4: 6,
    NVIDIA_TESLA_V100: 6,
    NVIDIA_TESLA_A100: 14,
    NVIDIA_A100_80GB: 1,
    NVIDIA_H100_80GB: 16,
  },
  "asia-southeast1": {
    NVIDIA_TESLA_T4: 6,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P4: 6,
    NVIDIA_TESLA_A100: 14,
    NVIDIA_A100_80GB: 1,
    NVIDIA_H100_80GB: 16,
  },
};

/** Limits on GPUs for serving. */
export class Quotas {
  #overrides: QuotaTable = {};

  table(): QuotaTable {
    const regions = new Set([...Object.keys(DEFAULTS), ...Object.keys(this.#overrides)]);
    return Object.fromEntries(
      [...regions].map((region) => [region, { ...DEFAULTS[region], ...this.#overrides[region] }]),
    );
  }

  /** Sets the limits named; all others stay at Google's listed defaults. */
  set(table: QuotaTable): void {
    this.#overrides = table;
  }

  /** Throws RESOURCE_EXHAUSTED when `wanted` beside `present` would be over a limit. */
  check(
    location: string,
    present: readonly DeployedModelDocument[],
    wanted: DeployedModelDocument,
  ): void {
    const accelerator = wanted.dedicatedResources?.machineSpec?.acceleratorType;
    if (accelerator === undefined) return;
    const limit = this.table()[location]?.[accelerator] ?? null;
    if (limit === null) return;
    const used = present
      .filter((one) => one.dedicatedResources?.machineSpec?.acceleratorType === accelerator)
      .reduce((total, one) => total + gpusOf(one), 0);
    if (used + gpusOf(wanted) <= limit) return;
    throw new ApiError(
      "RESOURCE_EXHAUSTED",
      `The following quota metrics exceed quota limits: ${metricOf(accelerator)} (limit ${limit} in ${location}, used ${used}, asked for ${gpusOf(wanted)} more).`,
    );
  }
}

/** maxReplicaCount x GPUs of one replica: what the reference says counts. */
function gpusOf(deployedModel: DeployedModelDocument): number {
  const resources = deployedModel.dedicatedResources;
  const replicas = resources?.maxReplicaCount ?? resources?.minReplicaCount ?? 1;
  return replicas * (resources?.machineSpec?.acceleratorCount ?? 0);
}

function metricOf(accelerator: string): string {
  const metric =
    METRICS[accelerator] ??
    `custom_model_serving_${accelerator.toLowerCase().replace("_tesla", "")}_gpus`;
  return `aiplatform.googleapis.com/${metric}`;
}

/** Reads a quota table from a control request. Throws INVALID_ARGUMENT. */
export function parseQuotas(json: unknown): QuotaTable {
  const isTable =
    typeof json === "object" &&
    json !== null &&
    Object.values(json).every(
      (region: unknown) =>
        typeof region === "object" &&
        region !== null &&
        Object.values(region).every((limit) => limit === null || Number.isInteger(limit)),
    );
  if (!isTable) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      'Quotas are {"REGION": {"ACCELERATOR_TYPE": whole number or null for no limit}}.',
    );
  }
  return json as QuotaTable;
}
