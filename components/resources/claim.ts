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

/**
 * What it sweeps at destroy: a bucket, its archives, a model, an endpoint, or the endpoint's deployments. That of an adoption
 * only takes the marks off.
 */
export type ClaimSubject =
  | { readonly kind: "bucket"; readonly bucket: string; readonly recorded: pulumi.Input<boolean> }
  | {
      readonly kind: "archives";
      readonly bucket: pulumi.Input<string>;
      readonly digest: string;
      readonly usedBy: string;
    }
  | { readonly kind: "adoption"; readonly endpoint: string; readonly modelName: string }
  | { readonly kind: "model"; readonly modelName: string; readonly deleteTimeoutSeconds: number }
  | {
      readonly kind: "endpoint";
      readonly endpoint: string;
      readonly recorded: pulumi.Input<boolean>;
      readonly undeployTimeoutSeconds: number;
      readonly deleteTimeoutSeconds: number;
    }
  | {
      readonly kind: "deployment";
      readonly endpoint: pulumi.Input<string>;
      readonly undeployTimeoutSeconds: number;
    };

/**
 * Recorded by the engine before the resource beside it starts, deleted after it: so a destroy removes also what a killed run
 * made and nobody recorded. That resource takes its name from the claim's output: when the name changes, the engine then
 * deletes it before the claim, which would sweep it otherwise.
 */
export class Claim extends pulumi.dynamic.Resource {
  /** Of the kinds "bucket" and "archives". */
  declare readonly bucket: pulumi.Output<string>;
  /** Of the kinds "model" and "adoption": projects/P/locations/L/models/M. */
  declare readonly modelName: pulumi.Output<string>;
  /** Of the kinds "endpoint", "deployment" and "adoption": projects/P/locations/L/endpoints/E. */
  declare readonly endpoint: pulumi.Output<string>;

  constructor(
    name: string,
    context: ClaimContext,
    subject: ClaimSubject,
    opts?: pulumi.CustomResourceOptions,
  ) {
    super(provider, name, { ...context, ...subject }, opts, "vertex-diffusion", "Claim");
  }
}
