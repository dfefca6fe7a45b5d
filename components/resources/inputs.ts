import type * as pulumi from "@pulumi/pulumi";

/**
 * A dynamic resource's plain inputs as a program gives them. Progress goes to the resource's own URN, which the
 * constructors add. (It can't be named "urn": Pulumi drops inputs of that name.)
 */
export type ResourceInputs<Inputs> = {
  readonly [Key in keyof Omit<Inputs, "progressUrn">]: pulumi.Input<Inputs[Key]>;
};
