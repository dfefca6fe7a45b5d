import { setTimeout as delay } from "node:timers/promises";

import * as pulumi from "@pulumi/pulumi";

interface RecordedResource {
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** The outputs of a resource in the engine's state, by its type and name; undefined when the state holds none. */
export async function recordedOutputs(
  type: string,
  name: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const found = Object.entries(await readOwnState()).find(([urn]) => {
    const [, , types = "", itsName] = urn.split("::");
    return itsName === name && types.split("$").at(-1) === type;
  });
  return found && (found[1].outputs ?? {});
}

/**
 * Whether the engine's state holds a resource of this type and name. Google's provider refuses to create what exists; a claim
 * that is told the answer can tell a thing that a killed run left unrecorded from one that is simply there.
 */
export async function isRecorded(type: string, name: string): Promise<boolean> {
  return (await recordedOutputs(type, name)) !== undefined;
}

const READ_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 25;

/**
 * The resources in this stack's state by URN. The engine may be writing the state just now, and a backend in a folder then
 * answers "failed to load checkpoint: EOF" (it writes the file's attributes in place): so a failed read is tried again.
 */
async function readOwnState(): Promise<Readonly<Record<string, RecordedResource>>> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = (await pulumi.runtime.invoke(
        "pulumi:pulumi:readStackResourceOutputs",
        { stackName },
        { async: true },
      )) as { outputs?: Readonly<Record<string, RecordedResource>> };
      return answer.outputs ?? {};
    } catch (error) {
      if (attempt === READ_ATTEMPTS) throw error;
      await delay(FIRST_PAUSE_MS * 2 ** attempt);
    }
  }
}
