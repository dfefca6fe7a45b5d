import * as pulumi from "@pulumi/pulumi";

const provider: pulumi.dynamic.ResourceProvider<object, { uid: string }> = {
  async create() {
    return require("@vertex-diffusion/providers/identity").create();
  },
};

/** The stack's random uid, made by its first `up` and kept in its state. Everything slow depends on it. */
export class StackIdentity extends pulumi.dynamic.Resource {
  /** 12 hex digits: the mark on everything that this stack makes. */
  declare readonly uid: pulumi.Output<string>;

  constructor(name: string, opts?: pulumi.CustomResourceOptions) {
    super(provider, name, { uid: undefined }, opts, "vertex-diffusion", "StackIdentity");
  }
}
