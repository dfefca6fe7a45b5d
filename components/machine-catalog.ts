/**
 * Machines, accelerators and regions that Vertex AI offers for online inference, as of 2026-11.
 *
 * Sources (Gemini Enterprise Agent Platform documentation):
 * - machines and accelerator counts: machine-learning/predictions/configure-compute
 * - regions by accelerator: machine-learning/general/locations, without the entries marked as not for serving
 * - accelerator names: google/cloud/aiplatform/v1/accelerator_type.proto
 */

/** One accelerator of the AcceleratorType enum and the regions where it serves. */
export interface AcceleratorOffer {
  readonly regions: readonly string[];
}

/** One machine type: which accelerators it takes and in which counts. Fixed families carry theirs. */
export interface MachineOffer {
  readonly accelerators: Readonly<Record<string, readonly number[]>>;
}

const regions = (text: string): readonly string[] => text.trim().split(/\s+/);

export const ACCELERATORS: Readonly<Record<string, AcceleratorOffer>> = {
  NVIDIA_TESLA_T4: {
    regions:
      regions(`asia-east1 asia-east2 asia-northeast1 asia-northeast3 asia-south1 asia-southeast1
      asia-southeast2 australia-southeast1 europe-central2 europe-west1 europe-west2 europe-west3
      europe-west4 me-west1 northamerica-northeast1 southamerica-east1 southamerica-west1 us-central1
      us-east1 us-east4 us-west1 us-west2 us-west4`),
  },
  NVIDIA_L4: {
    regions:
      regions(`asia-east1 asia-northeast1 asia-northeast3 asia-south1 asia-southeast1 europe-west1
      europe-west2 europe-west3 europe-west4 europe-west6 me-central2 northamerica-northeast2
      us-central1 us-east1 us-east4 us-west1 us-west4`),
  },
  NVIDIA_TESLA_P100: {
    regions: regions("asia-east1 europe-west1 us-central1 us-east1 us-west1"),
  },
  NVIDIA_TESLA_V100: {
    regions: regions("asia-east1 europe-west4 us-central1 us-east1 us-west1"),
  },
  NVIDIA_TESLA_P4: {
    regions: regions(`asia-southeast1 australia-southeast1 europe-west4 northamerica-northeast1
      us-central1 us-east4 us-west2`),
  },
  NVIDIA_TESLA_A100: {
    regions:
      regions(`asia-northeast1 asia-northeast3 asia-southeast1 europe-west4 me-west1 us-central1
      us-west3`),
  },
  NVIDIA_A100_80GB: {
    regions: regions("asia-southeast1 europe-west4 me-west1 us-central1 us-east4 us-east5"),
  },
  NVIDIA_H100_80GB: {
    regions: regions(`asia-northeast1 asia-northeast3 asia-south1 asia-southeast1 europe-west1
      europe-west2 europe-west3 europe-west4 northamerica-northeast2 us-central1 us-east4 us-east5
      us-west1 us-west4`),
  },
  NVIDIA_H200_141GB: {
    regions:
      regions(`asia-south1 asia-south2 europe-west1 europe-west4 us-central1 us-east4 us-south1
      us-west1`),
  },
  NVIDIA_B200: { regions: regions("asia-southeast1 us-central1 us-west2") },
  NVIDIA_RTX_PRO_6000: {
    regions: regions(`asia-south2 asia-southeast1 europe-west4 us-central1 us-east1 us-east4`),
  },
};

const T4_P100_P4 = (counts: readonly number[]) => ({
  NVIDIA_TESLA_T4: counts,
  NVIDIA_TESLA_P100: counts,
  NVIDIA_TESLA_P4: counts,
});

/** N1 takes any of four accelerators; which counts depends on its size. */
const N1_ACCELERATORS: Readonly<Record<string, MachineOffer["accelerators"]>> = {
  "2": { ...T4_P100_P4([1, 2, 4]), NVIDIA_TESLA_V100: [1, 2, 4, 8] },
  "4": { ...T4_P100_P4([1, 2, 4]), NVIDIA_TESLA_V100: [1, 2, 4, 8] },
  "8": { ...T4_P100_P4([1, 2, 4]), NVIDIA_TESLA_V100: [1, 2, 4, 8] },
  "16": { ...T4_P100_P4([1, 2, 4]), NVIDIA_TESLA_V100: [2, 4, 8] },
  "32": { ...T4_P100_P4([2, 4]), NVIDIA_TESLA_V100: [4, 8] },
};

/** Fixed families: the machine carries `n` accelerators; 1 to n of them may be used by a replica. */
const FIXED: Readonly<Record<string, readonly [accelerator: string, count: number]>> = {
  "g2-standard-4": ["NVIDIA_L4", 1],
  "g2-standard-8": ["NVIDIA_L4", 1],
  "g2-standard-12": ["NVIDIA_L4", 1],
  "g2-standard-16": ["NVIDIA_L4", 1],
  "g2-standard-24": ["NVIDIA_L4", 2],
  "g2-standard-32": ["NVIDIA_L4", 1],
  "g2-standard-48": ["NVIDIA_L4", 4],
  "g2-standard-96": ["NVIDIA_L4", 8],
  "g4-standard-48": ["NVIDIA_RTX_PRO_6000", 1],
  "g4-standard-96": ["NVIDIA_RTX_PRO_6000", 2],
  "g4-standard-192": ["NVIDIA_RTX_PRO_6000", 4],
  "g4-standard-384": ["NVIDIA_RTX_PRO_6000", 8],
  "a2-highgpu-1g": ["NVIDIA_TESLA_A100", 1],
  "a2-highgpu-2g": ["NVIDIA_TESLA_A100", 2],
  "a2-highgpu-4g": ["NVIDIA_TESLA_A100", 4],
  "a2-highgpu-8g": ["NVIDIA_TESLA_A100", 8],
  "a2-megagpu-16g": ["NVIDIA_TESLA_A100", 16],
  "a2-ultragpu-1g": ["NVIDIA_A100_80GB", 1],
  "a2-ultragpu-2g": ["NVIDIA_A100_80GB", 2],
  "a2-ultragpu-4g": ["NVIDIA_A100_80GB", 4],
  "a2-ultragpu-8g": ["NVIDIA_A100_80GB", 8],
  "a3-highgpu-1g": ["NVIDIA_H100_80GB", 1],
  "a3-highgpu-2g": ["NVIDIA_H100_80GB", 2],
  "a3-highgpu-4g": ["NVIDIA_H100_80GB", 4],
  "a3-highgpu-8g": ["NVIDIA_H100_80GB", 8],
  "a3-edgegpu-8g": ["NVIDIA_H100_80GB", 8],
  "a3-ultragpu-8g": ["NVIDIA_H200_141GB", 8],
  "a4-highgpu-8g": ["NVIDIA_B200", 8],
};

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Every machine type that can carry an accelerator. */
export const MACHINES: Readonly<Record<string, MachineOffer>> = {
  ...Object.fromEntries(
    ["standard", "highmem", "highcpu"].flatMap((kind) =>
      Object.entries(N1_ACCELERATORS).map(([size, accelerators]) => [
        `n1-${kind}-${size}`,
        { accelerators },
      ]),
    ),
  ),
  ...Object.fromEntries(
    Object.entries(FIXED).map(([machine, [accelerator, count]]) => [
      machine,
      { accelerators: { [accelerator]: upTo(count) } },
    ]),
  ),
};
