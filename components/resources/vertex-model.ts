import * as pulumi from "@pulumi/pulumi";

import type { VertexModelInputs, VertexModelOutputs } from "@vertex-diffusion/providers/model";

import type { ResourceInputs } from "./inputs.ts";
import { progressUrnOf } from "./progress-urn.ts";
import { shellOf } from "./shell.ts";

const provider = shellOf<VertexModelInputs, VertexModelOutputs>(
  "@vertex-diffusion/providers/model",
);

/** The stack's registry model. Each serving spec is a version of it; going back to an earlier one uploads nothing. */
export class VertexModel extends pulumi.dynamic.Resource {
  /** projects/P/locations/L/models/M. */
  declare readonly modelName: pulumi.Output<string>;
  /** Number that Google gave the declared version. */
  declare readonly versionId: pulumi.Output<string>;
  declare readonly versionAlias: pulumi.Output<string>;

  constructor(
    name: string,
    inputs: ResourceInputs<VertexModelInputs>,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const progressUrn = progressUrnOf("VertexModel", name, opts?.parent);
    const outputs = { versionId: undefined };
    super(
      provider,
      name,
      { ...outputs, ...inputs, progressUrn },
      opts,
      "vertex-diffusion",
      "VertexModel",
    );
  }
}
