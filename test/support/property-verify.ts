import { isDeepStrictEqual } from "node:util";
import type { EmulatorState } from "../../emulator/state.ts";
import { differences, etagViolations, violations } from "./property-invariants.ts";
import { observe } from "./property-observation.ts";
import type { ReferenceCloud } from "./property-reference.ts";
import { SETTLE_MS } from "./property-session.ts";
import type { PropertySession } from "./property-session.ts";
import { waitFor } from "./wait-for.ts";

/** Stages in which a deployed model's server runs. */
const WITH_SERVER: readonly string[] = ["STARTING_MODEL_SERVER", "FINISHING_UP"];

/** Throws, with everything that is wrong, when the emulator is not as it must be. */
export async function verify(cloud: ReferenceCloud, session: PropertySession): Promise<void> {
  await expectServers(session);
  const seen = await observe(session);
  const before = session.observation;
  const wrong = [
    ...violations(seen),
    ...differences(cloud, seen),
    ...(before === undefined ? [] : etagViolations(before, seen)),
  ];
  session.observation = seen;
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
}

/** Waits until servers and their processes are those of the deployed models, and all answer. */
export async function expectServers(session: PropertySession): Promise<void> {
  let last = "";
  const isSettled = async (): Promise<boolean> => {
    const state = await session.state();
    const groups = session.serverGroups();
    const wanted = serversOf(state);
    const servers = state.servers.map(({ id }) => id).sort();
    const pids = state.servers.map(({ pid }) => pid ?? 0).sort((a, b) => a - b);
    last = JSON.stringify({ wanted, servers: state.servers, groups });
    return (
      isDeepStrictEqual(servers, wanted) &&
      isDeepStrictEqual(pids, groups) &&
      state.servers.every((server) => server.state === "READY")
    );
  };
  await waitFor("One server for each deployed model", isSettled, SETTLE_MS).catch(
    (error: unknown) => {
      throw new Error(`${String(error)} ${last}`);
    },
  );
}

/** Ids of the servers of what is deployed, or so far on its way that its server runs. */
function serversOf(state: EmulatorState): string[] {
  const starting = state.operations
    .filter(({ done, stage }) => !done && WITH_SERVER.includes(stage))
    .map(({ target }) => target);
  return state.endpoints
    .flatMap(({ name, deployedModels, deployingModels }) => [
      ...deployedModels,
      ...(starting.includes(name) ? deployingModels : []),
    ])
    .map(({ serverId }) => serverId)
    .sort();
}
