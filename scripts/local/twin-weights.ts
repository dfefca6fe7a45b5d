import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { WEIGHTS_LOCK, readWeightsLock } from "../../components/weights-lock.ts";
import { weightsKey } from "../../components/weights-source.ts";
import type { WeightsSetting } from "../../components/weights-source.ts";

/** The demo model that local stacks serve, relative to the project's folder. */
export const DEMO_WEIGHTS = "handler/demo-model";

/**
 * The weights of an environment's local twin: its own, or the demo model where those can't be packed here, and why.
 *
 * @param declared The stack file's values; undefined weights are the default of Pulumi.yaml.
 */
export async function twinWeights(
  root: string,
  declared: Partial<WeightsSetting>,
): Promise<WeightsSetting & { readonly why?: string }> {
  const weights = declared.weights ?? (await readDefaultWeights(root));
  const setting = { ...declared, weights };
  if (weights.includes("://")) {
    const isLocked = weightsKey(setting) in readWeightsLock(root).weights;
    if (isLocked) return setting;
    return { weights: DEMO_WEIGHTS, why: `"${weights}" is not in ${WEIGHTS_LOCK}` };
  }
  for (const place of [weights, ...(declared.weightsConfig ? [declared.weightsConfig] : [])]) {
    const isThere = await access(join(root, place)).then(
      () => true,
      () => false,
    );
    if (!isThere) return { weights: DEMO_WEIGHTS, why: `"${place}" is not there` };
  }
  return setting;
}

/** The default that Pulumi.yaml declares for the setting `weights`. */
export async function readDefaultWeights(root: string): Promise<string> {
  const { config } = parse(await readFile(join(root, "Pulumi.yaml"), "utf8")) as {
    config: { weights: { default: string } };
  };
  return config.weights.default;
}
