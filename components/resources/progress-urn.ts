import * as pulumi from "@pulumi/pulumi";

const TYPE_PREFIX = "pulumi-nodejs:dynamic/vertex-diffusion:";

/**
 * The URN that a dynamic resource of this type and name gets: its provider shows progress there. The parent's URN goes
 * through a promise, which carries no dependency: as an Output it would make the child wait for all children of its
 * parent, itself among them, for ever.
 */
export function progressUrnOf(
  type: string,
  name: string,
  parent: pulumi.Resource | undefined,
): pulumi.Output<string> {
  const parentUrn =
    parent && new Promise<string>((resolve) => void parent.urn.apply((urn) => resolve(urn)));
  return pulumi.createUrn(name, `${TYPE_PREFIX}${type}`, parentUrn);
}
