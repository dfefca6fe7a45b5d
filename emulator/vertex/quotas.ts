import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { ApiError } from "../errors.ts";
import { vcpusOf } from "./machine-table.ts";
import type { DeployedModelDocument } from "./types.ts";

/** Stands beside the accelerators in a quota table: vCPUs. */
const CPU = "CPU";

/** region -> accelerator, or "CPU" -> GPUs, or vCPUs, that all deployed models together may have. null = no limit. */
export type QuotaTable = Readonly<Record<string, Readonly<Record<string, number | null>>>>;

/** Metric names as gcloud knows them; the CPUs' and those not here follow the same form (not confirmed). */
const METRICS: Readonly<Record<string, string>> = {
  [CPU]: "custom_model_serving_cpus",
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

const LISTED_CPUS = 2200;

/** Google's listed defaults (2026-11); new projects may have less. What is not listed has no limit here. */
const DEFAULTS: QuotaTable = {
  "us-central1": {
    [CPU]: LISTED_CPUS,
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
  "us-east1": { [CPU]: LISTED_CPUS, NVIDIA_TESLA_T4: 12, NVIDIA_L4: 28, NVIDIA_TESLA_P100: 30 },
  "us-east4": {
    [CPU]: LISTED_CPUS,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P4: 6,
    NVIDIA_A100_80GB: 1,
    NVIDIA_H100_80GB: 0,
  },
  "us-west1": {
    [CPU]: LISTED_CPUS,
    NVIDIA_TESLA_T4: 12,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P100: 30,
    NVIDIA_TESLA_V100: 6,
    NVIDIA_H100_80GB: 8,
  },
  "europe-west1": { [CPU]: LISTED_CPUS, NVIDIA_L4: 28, NVIDIA_TESLA_P100: 30 },
  "europe-west4": {
    [CPU]: LISTED_CPUS,
    NVIDIA_TESLA_T4: 12,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P4: 6,
    NVIDIA_TESLA_V100: 6,
    NVIDIA_TESLA_A100: 14,
    NVIDIA_A100_80GB: 1,
    NVIDIA_H100_80GB: 16,
  },
  "asia-southeast1": {
    [CPU]: LISTED_CPUS,
    NVIDIA_TESLA_T4: 6,
    NVIDIA_L4: 28,
    NVIDIA_TESLA_P4: 6,
    NVIDIA_TESLA_A100: 14,
    NVIDIA_A100_80GB: 1,
    NVIDIA_H100_80GB: 16,
  },
};

/** Limits on GPUs and vCPUs for serving. What is set is kept in a file of its own. */
export class Quotas {
  readonly #file: string;
  #overrides: QuotaTable;

  constructor(file: string) {
    this.#file = file;
    this.#overrides = existsSync(file) ? parseQuotas(JSON.parse(readFileSync(file, "utf8"))) : {};
  }

  table(): QuotaTable {
    const regions = new Set([...Object.keys(DEFAULTS), ...Object.keys(this.#overrides)]);
    return Object.fromEntries(
      [...regions].map((region) => [region, { ...DEFAULTS[region], ...this.#overrides[region] }]),
    );
  }

  /** The limits that were set; all others are Google's listed defaults. */
  overrides(): QuotaTable {
    return this.#overrides;
  }

  /** Sets the limits named; all others stay at Google's listed defaults. */
  set(table: QuotaTable): void {
    this.#overrides = table;
    if (Object.keys(table).length === 0) {
      rmSync(this.#file, { force: true });
      return;
    }
    writeFileSync(`${this.#file}.new`, JSON.stringify(table));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Throws RESOURCE_EXHAUSTED with the metric's name when `wanted` beside `present` would be over a limit. */
  check(
    location: string,
    present: readonly DeployedModelDocument[],
    wanted: DeployedModelDocument,
  ): void {
    const accelerator = wanted.dedicatedResources?.machineSpec?.acceleratorType;
    const kinds = accelerator === undefined ? [CPU] : [accelerator, CPU];
    const exceeded = kinds.flatMap((kind) => {
      const limit = this.table()[location]?.[kind] ?? null;
      const used = present.reduce((total, one) => total + usageOf(one, kind), 0);
      const more = usageOf(wanted, kind);
      if (limit === null || used + more <= limit) return [];
      return [
        `${metricOf(kind)} (limit ${limit} in ${location}, used ${used}, asked for ${more} more)`,
      ];
    });
    if (exceeded.length === 0) return;
    throw new ApiError(
      "RESOURCE_EXHAUSTED",
      `The following quota metrics exceed quota limits: ${exceeded.join(", ")}.`,
    );
  }
}

/** maxReplicaCount x GPUs, or vCPUs, of one replica: what the reference says counts. */
function usageOf(deployedModel: DeployedModelDocument, kind: string): number {
  const resources = deployedModel.dedicatedResources;
  const replicas = resources?.maxReplicaCount ?? resources?.minReplicaCount ?? 1;
  const machine = resources?.machineSpec;
  if (kind === CPU) return replicas * vcpusOf(machine?.machineType ?? "");
  return machine?.acceleratorType === kind ? replicas * (machine.acceleratorCount ?? 0) : 0;
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
      'Quotas are {"REGION": {"ACCELERATOR_TYPE" or "CPU": whole number or null for no limit}}.',
    );
  }
  return json as QuotaTable;
}
