import { createHash } from "node:crypto";

import type { ServingSpec } from "@vertex-diffusion/providers/serving-spec";

/**
 * Alias of the model version that serves this archive with this spec: `sha-` and 12 hex digits. The same content has the
 * same alias on every machine, so a version that exists is found, not uploaded again.
 */
export function versionAliasOf(digest: string, spec: ServingSpec): string {
  const { image, predictRoute, healthRoute, ports } = spec;
  const env = Object.entries(spec.env).sort(([a], [b]) => (a < b ? -1 : 1));
  const content = JSON.stringify([digest, image, predictRoute, healthRoute, ports, env]);
  return `sha-${createHash("sha256").update(content).digest("hex").slice(0, 12)}`;
}
