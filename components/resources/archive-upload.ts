import * as pulumi from "@pulumi/pulumi";

import type { ArchiveUploadInputs, ArchiveUploadOutputs } from "@vertex-diffusion/providers/upload";

import type { ResourceInputs } from "./inputs.ts";
import { progressUrnOf } from "./progress-urn.ts";
import { shellOf } from "./shell.ts";

const provider = shellOf<ArchiveUploadInputs, ArchiveUploadOutputs>(
  "@vertex-diffusion/providers/upload",
);

/** The model archive in the bucket, at the name of its digest. A new digest is uploaded beside the old one. */
export class ArchiveUpload extends pulumi.dynamic.Resource {
  declare readonly digest: pulumi.Output<string>;
  /** Size of model.mar in bytes. */
  declare readonly sizeBytes: pulumi.Output<number>;

  constructor(
    name: string,
    inputs: ResourceInputs<ArchiveUploadInputs>,
    opts?: pulumi.CustomResourceOptions,
  ) {
    const progressUrn = progressUrnOf("ArchiveUpload", name, opts?.parent);
    const outputs = { sizeBytes: undefined, crc32c: undefined, beside: undefined };
    super(
      provider,
      name,
      { ...outputs, ...inputs, progressUrn },
      opts,
      "vertex-diffusion",
      "ArchiveUpload",
    );
  }
}
