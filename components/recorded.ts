import * as pulumi from "@pulumi/pulumi";

/**
 * Whether the engine's state holds a resource of this type and name. Google's provider refuses to create what exists; a claim
 * that is told the answer can tell a thing that a killed run left unrecorded from one that is simply there.
 */
export async function isRecorded(type: string, name: string): Promise<boolean> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const { outputs } = (await pulumi.runtime.invoke(
    "pulumi:pulumi:readStackResourceOutputs",
    { stackName },
    { async: true },
  )) as { outputs?: Readonly<Record<string, unknown>> };
  return Object.keys(outputs ?? {}).some((urn) => {
    const [, , types = "", itsName] = urn.split("::");
    return itsName === name && types.split("$").at(-1) === type;
  });
}
