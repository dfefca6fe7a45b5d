import * as pulumi from "@pulumi/pulumi";

import type { AdoptionInputs, AdoptionOutputs } from "@vertex-diffusion/providers/adoption";

import type { ResourceInputs } from "./inputs.ts";
import { progressUrnOf } from "./progress-urn.ts";
import { shellOf } from "./shell.ts";

const provider = shellOf<AdoptionInputs, AdoptionOutputs>("@vertex-diffusion/providers/adoption");

/** An endpoint, a model and a deployment made by hand, marked as this stack's: what comes after it finds them as its own. */
export class Adoption extends pulumi.dynamic.Resource {
  constructor(
    name: string,
    inputs: ResourceInputs<AdoptionInputs>,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const progressUrn = progressUrnOf("Adoption", name, opts?.parent);
    const outputs = { deployedModelId: undefined };
    super(
      provider,
      name,
      { ...outputs, ...inputs, progressUrn },
      opts,
      "vertex-diffusion",
      "Adoption",
    );
  }
}
