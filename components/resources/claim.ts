import * as pulumi from "@pulumi/pulumi";

import type { ClaimInputs } from "@vertex-diffusion/providers/claim";

import { shellOf } from "./shell.ts";

const provider = shellOf<ClaimInputs, ClaimInputs>("@vertex-diffusion/providers/claim");

/** What a claim needs to know of its stack. */
export interface ClaimContext {
  readonly emulator: boolean;
  readonly stackUid: pulumi.Input<string>;
  readonly project: string;
}

/** What it sweeps at destroy: archives of a bucket, a model, or an endpoint's deployments. */
export type ClaimSubject =
  | { readonly kind: "archives"; readonly bucket: pulumi.Input<string> }
  | { readonly kind: "model"; readonly modelName: string }
  | { readonly kind: "deployment"; readonly endpoint: pulumi.Input<string> };

/**
 * Recorded by the engine before the slow resource beside it starts, deleted after it: so a destroy removes also what a
 * killed run made and nobody recorded.
 */
export class Claim extends pulumi.dynamic.Resource {
  constructor(
    name: string,
    context: ClaimContext,
    subject: ClaimSubject,
    opts?: pulumi.CustomResourceOptions,
  ) {
    super(provider, name, { ...context, ...subject }, opts, "vertex-diffusion", "Claim");
  }
}
