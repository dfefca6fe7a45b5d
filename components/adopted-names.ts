import * as pulumi from "@pulumi/pulumi";

import type { RecordedState } from "./recorded.ts";
import { SettingsError } from "./settings.ts";
import type { Settings } from "./settings.ts";

const ADOPTION = "pulumi-nodejs:dynamic/vertex-diffusion:Adoption";
const ENDPOINT = "gcp:vertex/aiEndpoint:AiEndpoint";
const MODEL = "pulumi-nodejs:dynamic/vertex-diffusion:VertexModel";

/**
 * Refuses to adopt in a stack that has an endpoint or a model of another id: it would be deleted for the adopted one. Says
 * what goes when `adopt` was taken out of the stack file.
 */
export async function checkAdoption(
  { stack, adopt }: Settings,
  recorded: RecordedState,
): Promise<void> {
  const endpoint = recorded.outputsOf(ENDPOINT, "endpoint")?.["name"];
  const model = recorded.outputsOf(MODEL, "endpoint-model")?.["modelId"];
  if (adopt !== null) {
    const has = [
      ...(endpoint === undefined || endpoint === adopt.endpoint ? [] : [`endpoint "${endpoint}"`]),
      ...(model === undefined || model === adopt.model ? [] : [`model "${model}"`]),
    ];
    if (has.length === 0) return;
    throw new SettingsError(stack, [
      {
        setting: "adopt",
        reason: `this stack has ${has.join(" and ")} already, which adopting another would delete. Adopt in a new stack ("npm run pulumi -- stack init NAME"), or destroy this one first.`,
      },
    ]);
  }
  if (!recorded.has(ADOPTION, "endpoint-adoption")) return;
  await pulumi.log.warn(
    `"adopt" was taken out of Pulumi.${stack}.yaml: endpoint "${endpoint}" and model "${model}", which this stack took over, are deleted, and new ones with names of its own are made. Put it back to keep them.`,
  );
}
