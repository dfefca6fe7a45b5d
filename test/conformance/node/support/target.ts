/** The cloud that the tests run on, as scripts/conformance.ts hands it over. */
import type { Target } from "../../../../scripts/conformance/target.ts";

export type { Target };

/** @throws when the tests were not started by the script. */
export function readTarget(): Target {
  const text = process.env["VERTEX_CONFORMANCE_TARGET"];
  if (text === undefined) {
    throw new Error(
      'VERTEX_CONFORMANCE_TARGET is not set. Start the tests with "npm run test:conformance".',
    );
  }
  return JSON.parse(text) as Target;
}

/** What the names of everything begin with that this run makes. */
export function prefixOf(target: Target): string {
  return `vd-conformance-${target.run}`;
}

/** The location that models and endpoints are in. */
export function parentOf(target: Target): string {
  return `projects/${target.project}/locations/${target.region}`;
}

/** The newest prebuilt PyTorch image without GPU, in the region's continent. */
export function cpuImage(target: Target): string {
  const continent = target.region.split("-")[0] ?? "";
  const host = ["europe", "asia"].includes(continent) ? continent : "us";
  return `${host}-docker.pkg.dev/vertex-ai/prediction/pytorch-cpu.2-4:latest`;
}
