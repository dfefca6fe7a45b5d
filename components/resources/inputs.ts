import type * as pulumi from "@pulumi/pulumi";

/** A dynamic resource's plain inputs as a program gives them. Progress goes to the resource's own URN. */
export type ResourceInputs<Inputs> = {
  readonly [Key in keyof Omit<Inputs, "urn">]: pulumi.Input<Inputs[Key]>;
};
