import { setTimeout as delay } from "node:timers/promises";

import * as pulumi from "@pulumi/pulumi";

type Outputs = Readonly<Record<string, unknown>>;

/** What the engine's state held of this stack when the program began. */
export interface RecordedState {
  /** The outputs of a resource by its type and name; undefined when the state holds none. */
  outputsOf(type: string, name: string): Outputs | undefined;
  /**
   * Whether the state holds it. Google's provider refuses to create what exists; a claim that is told the answer can tell a
   * thing that a killed run left unrecorded from one that is simply there.
   */
  has(type: string, name: string): boolean;
}

/** Reads this stack's state, once a program. */
export async function readRecordedState(): Promise<RecordedState> {
  const resources = Object.entries(await readOutputs());
  const outputsOf = (type: string, name: string): Outputs | undefined => {
    const found = resources.find(([urn]) => {
      const [, , types = "", itsName] = urn.split("::");
      return itsName === name && types.split("$").at(-1) === type;
    });
    return found && (found[1].outputs ?? {});
  };
  return { outputsOf, has: (type, name) => outputsOf(type, name) !== undefined };
}

const READ_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 25;

/**
 * The resources in this stack's state by URN. The engine may be writing the state just now, and a backend in a folder then
 * answers "failed to load checkpoint: EOF" (it writes the file's attributes in place): so a failed read is tried again.
 */
async function readOutputs(): Promise<Readonly<Record<string, { readonly outputs?: Outputs }>>> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = (await pulumi.runtime.invoke(
        "pulumi:pulumi:readStackResourceOutputs",
        { stackName },
        { async: true },
      )) as { outputs?: Readonly<Record<string, { readonly outputs?: Outputs }>> };
      return answer.outputs ?? {};
    } catch (error) {
      if (attempt === READ_ATTEMPTS) throw error;
      await delay(FIRST_PAUSE_MS * 2 ** attempt);
    }
  }
}
