/**
 * Machines, accelerators and regions of Vertex AI online inference, as documented in 2026-11:
 * "Configure compute resources for inference" (machine and GPU tables) and "Locations" (region table), both under
 * https://docs.cloud.google.com/gemini-enterprise-agent-platform/machine-learning/.
 */

/** A GPU that some machine types offer. `counts` = what one replica may have. */
export interface AcceleratorOffer {
  readonly accelerator: string;
  readonly counts: readonly number[];
}

const ONE_TO_FOUR = [1, 2, 4] as const;
const V100_SMALL = [1, 2, 4, 8] as const;

/** N1 machines take GPUs as an option; the counts depend on the machine's size. */
function n1Offers(size: number): readonly AcceleratorOffer[] {
  const common = size >= 32 ? [2, 4] : ONE_TO_FOUR;
  const v100 = size >= 32 ? [4, 8] : size >= 16 ? [2, 4, 8] : V100_SMALL;
  return [
    { accelerator: "NVIDIA_TESLA_P100", counts: common },
    { accelerator: "NVIDIA_TESLA_V100", counts: v100 },
    { accelerator: "NVIDIA_TESLA_P4", counts: common },
    { accelerator: "NVIDIA_TESLA_T4", counts: common },
  ];
}

/** Machine -> GPUs that come with it. A replica may ask for 1 to that many. */
const FIXED_FAMILIES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  NVIDIA_L4: {
    "g2-standard-4": 1,
    "g2-standard-8": 1,
    "g2-standard-12": 1,
    "g2-standard-16": 1,
    "g2-standard-24": 2,
    "g2-standard-32": 1,
    "g2-standard-48": 4,
    "g2-standard-96": 8,
  },
  NVIDIA_RTX_PRO_6000: {
    "g4-standard-48": 1,
    "g4-standard-96": 2,
    "g4-standard-192": 4,
    "g4-standard-384": 8,
  },
  NVIDIA_TESLA_A100: {
    "a2-highgpu-1g": 1,
    "a2-highgpu-2g": 2,
    "a2-highgpu-4g": 4,
    "a2-highgpu-8g": 8,
    "a2-megagpu-16g": 16,
  },
  NVIDIA_A100_80GB: {
    "a2-ultragpu-1g": 1,
    "a2-ultragpu-2g": 2,
    "a2-ultragpu-4g": 4,
    "a2-ultragpu-8g": 8,
  },
  NVIDIA_H100_80GB: {
    "a3-highgpu-1g": 1,
    "a3-highgpu-2g": 2,
    "a3-highgpu-4g": 4,
    "a3-highgpu-8g": 8,
    "a3-edgegpu-8g": 8,
  },
  NVIDIA_H100_MEGA_80GB: { "a3-megagpu-8g": 8 },
  NVIDIA_H200_141GB: { "a3-ultragpu-8g": 8 },
  NVIDIA_B200: { "a4-highgpu-8g": 8 },
  NVIDIA_GB200: { "a4x-highgpu-4g": 4 },
};

/** vCPUs of the machines whose names count GPUs instead. a3-megagpu-8g has no row in Google's table: as its siblings. */
const VCPUS_BY_GPU_MACHINE: Readonly<Record<string, number>> = {
  "a2-highgpu-1g": 12,
  "a2-highgpu-2g": 24,
  "a2-highgpu-4g": 48,
  "a2-highgpu-8g": 96,
  "a2-megagpu-16g": 96,
  "a2-ultragpu-1g": 12,
  "a2-ultragpu-2g": 24,
  "a2-ultragpu-4g": 48,
  "a2-ultragpu-8g": 96,
  "a3-highgpu-1g": 26,
  "a3-highgpu-2g": 52,
  "a3-highgpu-4g": 104,
  "a3-highgpu-8g": 208,
  "a3-edgegpu-8g": 208,
  "a3-megagpu-8g": 208,
  "a3-ultragpu-8g": 224,
  "a4-highgpu-8g": 224,
  "a4x-highgpu-4g": 140,
};

/** vCPUs of one machine; all other names end in them. 0 for a name that tells none. */
export function vcpusOf(machineType: string): number {
  return VCPUS_BY_GPU_MACHINE[machineType] ?? Number(/-(\d+)$/.exec(machineType)?.[1] ?? 0);
}

/** Machines that are deployed in no smaller number than this. */
export const FEWEST_REPLICAS: Readonly<Record<string, number>> = { "a4x-highgpu-4g": 18 };

/** Accelerators that can be cut into partitions (MIG). */
export const PARTITIONABLE: ReadonlySet<string> = new Set([
  ...["NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB", "NVIDIA_H200_141GB"],
  ...["NVIDIA_B200", "NVIDIA_GB200", "NVIDIA_RTX_PRO_6000"],
]);

/** Series without accelerators: every size of them is accepted. */
export const CPU_SERIES = ["e2", "n1", "n2", "n2d", "c2", "c2d", "c3"] as const;
const N1_SIZES = [2, 4, 8, 16, 32] as const;

function offersByMachine(): Map<string, readonly AcceleratorOffer[]> {
  const table = new Map<string, readonly AcceleratorOffer[]>();
  for (const size of N1_SIZES) {
    for (const kind of ["standard", "highmem", "highcpu"]) {
      table.set(`n1-${kind}-${size}`, n1Offers(size));
    }
  }
  for (const [accelerator, machines] of Object.entries(FIXED_FAMILIES)) {
    for (const [machine, most] of Object.entries(machines)) {
      const counts = Array.from({ length: most }, (_value, index) => index + 1);
      table.set(machine, [{ accelerator, counts }]);
    }
  }
  return table;
}

/** Machine type -> GPUs offered on it. A machine that is not here takes none. */
export const ACCELERATORS_BY_MACHINE: ReadonlyMap<string, readonly AcceleratorOffer[]> =
  offersByMachine();

/** Machines that are never sold without their GPU. */
export const FIXED_MACHINES: ReadonlySet<string> = new Set(
  Object.values(FIXED_FAMILIES).flatMap((machines) => Object.keys(machines)),
);

function regions(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/));
}

/** Regions that offer an accelerator for online inference. */
export const REGIONS_BY_ACCELERATOR: Readonly<Record<string, ReadonlySet<string>>> = {
  NVIDIA_TESLA_T4: regions(
    "asia-east1 asia-east2 asia-northeast1 asia-northeast3 asia-south1 asia-southeast1 asia-southeast2 australia-southeast1 europe-central2 europe-west1 europe-west2 europe-west3 europe-west4 me-west1 northamerica-northeast1 southamerica-east1 southamerica-west1 us-central1 us-east1 us-east4 us-west1 us-west2 us-west4",
  ),
  NVIDIA_L4: regions(
    "asia-east1 asia-northeast1 asia-northeast3 asia-south1 asia-southeast1 europe-west1 europe-west2 europe-west3 europe-west4 europe-west6 me-central2 northamerica-northeast2 us-central1 us-east1 us-east4 us-west1 us-west4",
  ),
  NVIDIA_TESLA_P100: regions("asia-east1 europe-west1 us-central1 us-east1 us-west1"),
  NVIDIA_TESLA_V100: regions("asia-east1 europe-west4 us-central1 us-east1 us-west1"),
  NVIDIA_TESLA_P4: regions(
    "asia-southeast1 australia-southeast1 europe-west4 northamerica-northeast1 us-central1 us-east4 us-west2",
  ),
  NVIDIA_TESLA_A100: regions(
    "asia-northeast1 asia-northeast3 asia-southeast1 europe-west4 me-west1 us-central1 us-west3",
  ),
  NVIDIA_A100_80GB: regions("asia-southeast1 europe-west4 me-west1 us-central1 us-east4 us-east5"),
  NVIDIA_H100_80GB: regions(
    "asia-northeast1 asia-northeast3 asia-south1 asia-southeast1 europe-west1 europe-west2 europe-west3 europe-west4 northamerica-northeast2 us-central1 us-east4 us-east5 us-west1 us-west4",
  ),
  NVIDIA_H100_MEGA_80GB: regions(
    "asia-northeast1 asia-southeast1 australia-southeast1 europe-west1 europe-west4 us-central1 us-east4 us-east5 us-west1 us-west4",
  ),
  NVIDIA_H200_141GB: regions(
    "asia-south1 asia-south2 europe-west1 europe-west4 us-central1 us-east4 us-south1 us-west1",
  ),
  NVIDIA_B200: regions("asia-southeast1 us-central1 us-west2"),
  NVIDIA_GB200: regions("us-central1"),
  NVIDIA_RTX_PRO_6000: regions(
    "asia-south2 asia-southeast1 europe-west4 us-central1 us-east1 us-east4",
  ),
};
