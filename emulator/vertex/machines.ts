import { ApiError } from "../errors.ts";
import {
  ACCELERATORS_BY_MACHINE,
  CPU_SERIES,
  FEWEST_REPLICAS,
  FIXED_MACHINES,
  PARTITIONABLE,
  REGIONS_BY_ACCELERATOR,
} from "./machine-table.ts";
import type { DedicatedResources, MachineSpec } from "./types.ts";

/** What Vertex takes when a deployed model names no machine. */
export const DEFAULT_MACHINE_TYPE = "n1-standard-2";

const METRIC_PREFIX = "aiplatform.googleapis.com/prediction/online";
const PERCENT_METRICS: readonly string[] = [
  `${METRIC_PREFIX}/cpu/utilization`,
  `${METRIC_PREFIX}/accelerator/duty_cycle`,
];
/** request_count is a number of requests; the others are a preview. */
const OTHER_METRICS: readonly string[] = [
  `${METRIC_PREFIX}/request_count`,
  "prometheus.googleapis.com/vertex_dcgm_fi_dev_gpu_util",
  "prometheus.googleapis.com/vertex_vllm_gpu_cache_usage_perc",
  "prometheus.googleapis.com/vertex_vllm_num_requests_waiting",
  "pubsub.googleapis.com/subscription/num_undelivered_messages",
];

/** Resources as they will be recorded: machine and maximum filled in. Throws INVALID_ARGUMENT on what is not offered. */
export function checkResources(
  resources: DedicatedResources,
  location: string,
): DedicatedResources {
  const machineSpec = {
    ...resources.machineSpec,
    machineType: resources.machineSpec?.machineType ?? DEFAULT_MACHINE_TYPE,
  };
  checkMachine(machineSpec, location);
  checkPartition(machineSpec);
  checkReservation(machineSpec);
  return { ...checkReplicas({ ...resources, machineSpec }), machineSpec };
}

/** Replica counts as v1 wants them: min at least 1, max at least min (the default), required 1 to min. */
export function checkReplicas(resources: DedicatedResources): DedicatedResources {
  const min = resources.minReplicaCount ?? 0;
  const max = resources.maxReplicaCount ?? min;
  const required = resources.requiredReplicaCount ?? 0;
  if (min < 1) throw refuse("dedicated_resources.min_replica_count must be at least 1");
  if (max < min) {
    throw refuse(
      `dedicated_resources.max_replica_count (${max}) must not be less than min_replica_count (${min})`,
    );
  }
  if (required < 0 || required > min) {
    throw refuse(
      `dedicated_resources.required_replica_count (${required}) must be between 1 and min_replica_count (${min})`,
    );
  }
  const fewest = FEWEST_REPLICAS[resources.machineSpec?.machineType ?? ""] ?? 1;
  if (min < fewest) {
    throw refuse(
      `dedicated_resources.min_replica_count must be at least ${fewest} for machine type "${resources.machineSpec?.machineType}", got ${min}`,
    );
  }
  checkAutoscaling(resources);
  return { ...resources, minReplicaCount: min, maxReplicaCount: max };
}

/** At most one entry per metric, of the metrics that exist. */
function checkAutoscaling(resources: DedicatedResources): void {
  const specs = resources.autoscalingMetricSpecs ?? [];
  for (const { metricName = "", target = 0 } of specs) {
    const isPercent = PERCENT_METRICS.includes(metricName);
    if (!isPercent && !OTHER_METRICS.includes(metricName)) {
      throw refuse(`autoscaling_metric_specs: the metric "${metricName}" is not supported`);
    }
    if (target < 0 || (isPercent && target > 100)) {
      throw refuse(
        `autoscaling_metric_specs: the target of "${metricName}" must be between 1 and 100 percent, got ${target}`,
      );
    }
    if (specs.filter((one) => one.metricName === metricName).length > 1) {
      throw refuse(`autoscaling_metric_specs: the metric "${metricName}" is named more than once`);
    }
  }
}

function checkPartition(spec: MachineSpec & { machineType: string }): void {
  if (spec.gpuPartitionSize === undefined) return;
  if (!PARTITIONABLE.has(spec.acceleratorType ?? "")) {
    throw refuse(
      `gpu_partition_size is not supported for accelerator type "${spec.acceleratorType ?? "none"}"`,
    );
  }
  if (spec.acceleratorCount !== 1) {
    throw refuse(
      `gpu_partition_size needs an accelerator_count of 1, got ${spec.acceleratorCount}`,
    );
  }
}

function checkReservation(spec: MachineSpec): void {
  const affinity = spec.reservationAffinity;
  if (affinity?.reservationAffinityType !== "SPECIFIC_RESERVATION") return;
  if (affinity.key !== undefined && (affinity.values ?? []).length > 0) return;
  throw refuse("reservation_affinity: SPECIFIC_RESERVATION needs key and values");
}

function checkMachine(spec: MachineSpec & { machineType: string }, location: string): void {
  const machine = spec.machineType;
  const offers = ACCELERATORS_BY_MACHINE.get(machine) ?? [];
  const isCpuSeries = CPU_SERIES.some((series) => machine.startsWith(`${series}-`));
  if (!isCpuSeries && !FIXED_MACHINES.has(machine)) {
    throw refuse(`Machine type "${machine}" is not supported`);
  }
  const accelerator = spec.acceleratorType;
  const count = spec.acceleratorCount ?? 0;
  if (accelerator === undefined) {
    if (count !== 0) throw refuse("accelerator_count needs an accelerator_type");
    if (!FIXED_MACHINES.has(machine)) return;
    throw refuse(
      `Machine type "${machine}" needs accelerator type "${offers[0]?.accelerator}" and a count`,
    );
  }
  const offer = offers.find((one) => one.accelerator === accelerator);
  if (offer === undefined) {
    throw refuse(
      `Accelerator type "${accelerator}" is not supported for machine type "${machine}"`,
    );
  }
  if (!offer.counts.includes(count)) {
    throw refuse(
      `Accelerator count ${count} of "${accelerator}" is not supported for machine type "${machine}": it offers ${offer.counts.join(", ")}`,
    );
  }
  if (REGIONS_BY_ACCELERATOR[accelerator]?.has(location) === true) return;
  // Seen from Google: a machine whose GPU a region lacks is itself called unsupported there.
  throw refuse(
    FIXED_MACHINES.has(machine)
      ? `Machine type "${machine}" is not supported in region "${location}"`
      : `Accelerator type "${accelerator}" is not supported in region "${location}"`,
  );
}

function refuse(problem: string): ApiError {
  return new ApiError("INVALID_ARGUMENT", `${problem}.`);
}
