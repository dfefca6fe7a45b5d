import fc from "fast-check";
import { pickId } from "./property-call.ts";
import { CALLS, index } from "./property-calls.ts";
import { command, performed } from "./property-command.ts";
import type { PropertyCommand } from "./property-command.ts";
import { advance } from "./property-perform.ts";
import { expectKilledPrediction, expectPrediction } from "./property-predict.ts";
import { killDuring, restart } from "./property-restart.ts";
import * as steps from "./property-steps.ts";

const operationPosition = fc.record({ position: fc.nat(3) });
const endpointOnly = fc.record({ endpoint: index });

const OTHERS = {
  predict: command(
    "predict",
    fc.record({ endpoint: index, isEmpty: fc.constantFrom(false, false, false, false, true) }),
    (cloud, session, { endpoint, isEmpty }) => {
      const id = pickId("endpoints", endpoint, cloud.endpoints);
      return expectPrediction(cloud, session, id, isEmpty ? [] : undefined);
    },
  ),
  killServer: command("killServer", endpointOnly, (cloud, session, { endpoint }) =>
    expectKilledPrediction(cloud, session, pickId("endpoints", endpoint, cloud.endpoints)),
  ),
  declareFault: command("declareFault", steps.faults, steps.declareFault),
  releaseFaults: command(
    "releaseFaults",
    fc.constant({}),
    steps.releaseFaults,
    (cloud) => cloud.faults.length + cloud.operations.length > 0,
  ),
  cancelOperation: command("cancelOperation", operationPosition, steps.cancelOperation),
  deleteOperation: command("deleteOperation", operationPosition, steps.deleteOperation),
  putObject: command(
    "putObject",
    fc.record({ name: fc.constantFrom(...steps.OBJECTS), content: fc.constantFrom("one", "two") }),
    steps.putObject,
  ),
  deleteObject: command(
    "deleteObject",
    fc.record({ name: fc.constantFrom(...steps.OBJECTS) }),
    steps.deleteObject,
  ),
  restart: command(
    "restart",
    fc.record({ signal: fc.constantFrom("SIGKILL" as const, "SIGTERM" as const) }),
    (cloud, session, { signal }) => restart(cloud, session, signal),
  ),
  advance: command(
    "advance",
    fc.record({ stages: fc.constantFrom(1, 2, 7) }),
    async (cloud, session, { stages }) => {
      for (let stage = 0; stage < stages; stage += 1) await advance(cloud, session);
    },
    (cloud) => cloud.operations.length > 0,
  ),
} as const;

const KILLABLE = [
  ...[CALLS.uploadVersion, CALLS.mergeAliases, CALLS.deleteVersion, CALLS.changeSplit],
  ...[CALLS.deployModel, CALLS.undeployModel, CALLS.mutate],
] as const;

const killDuringCall = command(
  "killDuring",
  fc.record({ call: fc.oneof(...KILLABLE), afterMs: fc.constantFrom(0, 3, 10, 40, 150) }),
  (cloud, session, { call, afterMs }) =>
    killDuring(cloud, session, call.build(cloud, session), afterMs),
  (cloud) => cloud.faults.length === 0,
);

/** Every command as often as its weight says. */
function weigh(
  weights: readonly (readonly [weight: number, kind: fc.Arbitrary<PropertyCommand>])[],
): fc.Arbitrary<PropertyCommand>[] {
  return weights.flatMap(([weight, kind]) => Array.from({ length: weight }, () => kind));
}

const COMMON = [
  [8, performed(CALLS.uploadModel)],
  [8, performed(CALLS.uploadVersion)],
  [6, performed(CALLS.mergeAliases)],
  [4, performed(CALLS.updateModel)],
  [4, performed(CALLS.deleteModel)],
  [6, performed(CALLS.deleteVersion)],
  [8, performed(CALLS.createEndpoint)],
  [4, performed(CALLS.updateEndpoint)],
  [8, performed(CALLS.changeSplit)],
  [4, performed(CALLS.deleteEndpoint)],
  [16, performed(CALLS.deployModel)],
  [10, performed(CALLS.undeployModel)],
  [6, performed(CALLS.mutate)],
  [6, OTHERS.predict],
  [2, OTHERS.killServer],
  [6, OTHERS.declareFault],
  [4, OTHERS.releaseFaults],
  [4, OTHERS.cancelOperation],
  [2, OTHERS.deleteOperation],
  [2, OTHERS.putObject],
  [2, OTHERS.deleteObject],
  [1, OTHERS.restart],
  [1, killDuringCall],
] as const;

/** Commands for the fast clock, where an operation has ended when its call is done, unless a fault holds it. */
export const ONE_BY_ONE = weigh(COMMON);

/** Commands for the manual clock, where operations overlap. */
export const OVERLAPPING = weigh([...COMMON, [28, OTHERS.advance]]);
