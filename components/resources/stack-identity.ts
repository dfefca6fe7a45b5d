import * as pulumi from "@pulumi/pulumi";

import type { StackIdentityOutputs } from "@vertex-diffusion/providers/identity";

import { shellOf } from "./shell.ts";

const provider = shellOf<object, StackIdentityOutputs>("@vertex-diffusion/providers/identity");

/** The stack's random uid, made by its first `up` and kept in its state. Everything slow depends on it. */
export class StackIdentity extends pulumi.dynamic.Resource {
  /** 12 hex digits: the mark on everything that this stack makes. */
  declare readonly uid: pulumi.Output<string>;

  constructor(name: string, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { uid: undefined }, opts, "vertex-diffusion", "StackIdentity");
  }
}
