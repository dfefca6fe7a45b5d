import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { WEIGHTS_LOCK, readWeightsLock } from "../../components/weights-lock.ts";
import { weightsKey } from "../../components/weights-source.ts";

/** The demo model that local stacks serve, relative to the project's folder. */
export const DEMO_WEIGHTS = "handler/demo-model";

/**
 * The weights of an environment's local twin: its own, or the demo model where those can't be packed here, and why.
 *
 * @param declared The stack file's value; undefined is the default of Pulumi.yaml.
 */
export async function twinWeights(
  root: string,
  declared: string | undefined,
): Promise<{ readonly weights: string; readonly why?: string }> {
  const weights = declared ?? (await readDefaultWeights(root));
  if (weights.includes("://")) {
    const isLocked = weightsKey(weights) in readWeightsLock(root).weights;
    if (isLocked) return { weights };
    return { weights: DEMO_WEIGHTS, why: `"${weights}" is not in ${WEIGHTS_LOCK}` };
  }
  const isThere = await access(join(root, weights)).then(
    () => true,
    () => false,
  );
  return isThere ? { weights } : { weights: DEMO_WEIGHTS, why: `"${weights}" is not there` };
}

/** The default that Pulumi.yaml declares for the setting `weights`. */
export async function readDefaultWeights(root: string): Promise<string> {
  const { config } = parse(await readFile(join(root, "Pulumi.yaml"), "utf8")) as {
    config: { weights: { default: string } };
  };
  return config.weights.default;
}
