import * as pulumi from "@pulumi/pulumi";

import type {
  ModelDeploymentInputs,
  ModelDeploymentOutputs,
} from "@vertex-diffusion/providers/deployment";

import type { ResourceInputs } from "./inputs.ts";
import { progressUrnOf } from "./progress-urn.ts";
import { shellOf } from "./shell.ts";

const provider = shellOf<ModelDeploymentInputs, ModelDeploymentOutputs>(
  "@vertex-diffusion/providers/deployment",
);

/** What the endpoint serves: one model version on declared machines, with all of the traffic. */
export class ModelDeployment extends pulumi.dynamic.Resource {
  /** Id of the deployed model that serves, as Google knows it. */
  declare readonly deployedModelId: pulumi.Output<string>;
  /** Number of the model version that it serves. */
  declare readonly versionId: pulumi.Output<string>;

  constructor(
    name: string,
    inputs: ResourceInputs<ModelDeploymentInputs>,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const progressUrn = progressUrnOf("ModelDeployment", name, opts?.parent);
    const outputs = { deployedModelId: undefined, versionId: undefined };
    super(
      provider,
      name,
      { ...outputs, ...inputs, progressUrn },
      opts,
      "vertex-diffusion",
      "ModelDeployment",
    );
  }
}
