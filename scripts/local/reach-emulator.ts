import { findRunningEmulator } from "../toolchain/emulator-address.ts";
import { localPaths } from "../toolchain/environment.ts";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import { UserError } from "../toolchain/user-error.ts";
import { listLocalStacks } from "./stack-files.ts";

/** Leads this process's calls to the local Vertex AI that a stack lives on, and answers its REST address. */
export async function reachEmulator(stack: string): Promise<string> {
  if (!(await listLocalStacks()).includes(stack)) {
    throw new UserError(`Stack "${stack}" is not up. Bring it up with "npm run local".`);
  }
  const address = await findRunningEmulator(PROJECT_ROOT);
  if (address === undefined) {
    throw new UserError(
      `Stack "${stack}" lives on the local Vertex AI, which is not running: start it with "npm run emulator".`,
    );
  }
  process.env["VERTEX_DIFFUSION_EMULATOR"] = localPaths(PROJECT_ROOT).emulatorAddress;
  return address.rest;
}
