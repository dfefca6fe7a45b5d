import type { StatusName } from "../../emulator/errors.ts";
import type { OperationState } from "../../emulator/state.ts";
import { lastSegment } from "./property-model-calls.ts";
import type { ExpectedCall } from "./property-call.ts";
import type {
  ExpectedFault,
  ExpectedOperation,
  FaultKind,
  ReferenceCloud,
} from "./property-reference.ts";
import { SETTLE_MS } from "./property-session.ts";
import type { Answer, PropertySession } from "./property-session.ts";
import { waitFor } from "./wait-for.ts";

/** Length of one stage, the emulator's default. */
export const STAGE_MS = 300;
const STATUS_BY_CODE: Readonly<Record<number, StatusName>> = {
  1: "CANCELLED",
  5: "NOT_FOUND",
  8: "RESOURCE_EXHAUSTED",
  9: "FAILED_PRECONDITION",
  10: "ABORTED",
  13: "INTERNAL",
  14: "UNAVAILABLE",
};

/** Makes the call, checks that it is answered as it must be, and brings the reference to what must have come of it. */
export async function perform(
  cloud: ReferenceCloud,
  session: PropertySession,
  call: ExpectedCall,
): Promise<void> {
  const before = takeFault(cloud, call.method, ["before"]);
  const known = new Set([...cloud.ended.keys(), ...cloud.operations.map(({ name }) => name)]);
  const answer = await session.send(call.verb, call.path, call.body);
  if (before !== undefined) return expectStatus(call, answer, [before.status ?? "RESET"]);
  if (call.refusals.length > 0) return expectStatus(call, answer, call.refusals);
  const fault =
    call.operation === undefined ? undefined : takeFault(cloud, call.method, ["hold", "stage"]);
  const after = takeFault(cloud, call.method, ["after"]);
  expectStatus(call, answer, [after === undefined ? "OK" : (after.status ?? "RESET")]);
  call.apply?.();
  if (call.operation === undefined) return;
  const { name } = await findOperation(session, call, known);
  cloud.operations.push(toOperation(call, name, fault));
  if (session.clock === "fast") await settle(cloud, session);
}

/** The operation that a call has started, also when its answer was lost. */
async function findOperation(
  session: PropertySession,
  call: ExpectedCall,
  known: ReadonlySet<string>,
): Promise<OperationState> {
  const fresh = (await session.state()).operations.filter(({ name }) => !known.has(name));
  const [started] = fresh;
  if (started === undefined || fresh.length > 1) {
    throw new Error(`${call.method} started ${fresh.length} operations: ${JSON.stringify(fresh)}`);
  }
  return started;
}

function toOperation(
  call: ExpectedCall,
  name: string,
  fault: ExpectedFault | undefined,
): ExpectedOperation {
  const work = call.operation;
  if (work === undefined) throw new Error(`${call.method} starts no operation.`);
  const failingStage = fault?.kind === "stage" ? fault.stage : undefined;
  const index = work.stages?.indexOf(failingStage ?? "") ?? -1;
  return {
    name,
    method: call.method,
    target: call.target ?? targetOf(name),
    ...work,
    heldBy: fault?.kind === "hold" ? fault.id : undefined,
    ...(index < 0
      ? {}
      : {
          stagesLeft: index + 1,
          // Counted from the end, as stagesLeft is.
          stagesWithServer: (work.stagesWithServer ?? 0) - ((work.stages?.length ?? 0) - index - 1),
          end: () => fault?.status ?? "INTERNAL",
        }),
  };
}

function targetOf(operation: string): string {
  return operation.replace(/^.*\/(models|endpoints)\/([^/]+)\/operations\/.*$/, "$1/$2");
}

/** Takes the first declared fault of the kinds that hits the method. */
export function takeFault(
  cloud: ReferenceCloud,
  method: string,
  kinds: readonly FaultKind[],
): ExpectedFault | undefined {
  const fault = cloud.faults.find((one) => one.method === method && kinds.includes(one.kind));
  cloud.faults = cloud.faults.filter((one) => one !== fault);
  return fault;
}

export function expectStatus(
  call: Pick<ExpectedCall, "method">,
  answer: Answer,
  allowed: readonly Answer["status"][],
): void {
  if (allowed.includes(answer.status)) return;
  throw new Error(
    `${call.method} answered ${answer.status}, expected ${[...new Set(allowed)].join(" or ")}.`,
  );
}

/** Ends what nothing holds any more: on the fast clock all of it, on the manual clock what has no stage left. */
export async function settle(cloud: ReferenceCloud, session: PropertySession): Promise<void> {
  const due = cloud.operations.filter(
    ({ heldBy, stagesLeft }) =>
      heldBy === undefined && (session.clock === "fast" || stagesLeft === 0),
  );
  for (const operation of due) await end(cloud, session, operation);
}

/** Lets the time of one stage pass for all operations that no fault holds. */
export async function advance(cloud: ReferenceCloud, session: PropertySession): Promise<void> {
  await session.control("POST", "clock", { advanceMs: STAGE_MS });
  session.note(`clock advanced by ${STAGE_MS} ms`);
  for (const operation of cloud.operations) {
    if (operation.heldBy !== undefined) continue;
    operation.stagesLeft -= 1;
    if (operation.stagesLeft === operation.stagesWithServer) {
      await waitForServer(session, operation);
    }
  }
  await settle(cloud, session);
}

/** Its next stage begins when the model answers, which is real time. */
async function waitForServer(
  session: PropertySession,
  { target, deploying }: ExpectedOperation,
): Promise<void> {
  await waitFor(
    `The server of DeployedModel "${deploying?.id ?? ""}" on ${target}`,
    async () => {
      const { endpoints, servers } = await session.state();
      const endpoint = endpoints.find(({ name }) => `endpoints/${lastSegment(name)}` === target);
      const coming = endpoint?.deployingModels ?? [];
      return coming.every(({ serverId }) =>
        servers.some(({ id, state }) => id === serverId && state === "READY"),
      );
    },
    SETTLE_MS,
  );
}

/** Waits for the operation's end and checks how it ended. */
export async function end(
  cloud: ReferenceCloud,
  session: PropertySession,
  operation: ExpectedOperation,
  expected?: StatusName,
): Promise<void> {
  const { body } = await session.read("POST", `/v1/${operation.name}:wait`, {
    timeout: `${SETTLE_MS / 1000}s`,
  });
  if (body["done"] !== true) {
    throw new Error(`${operation.method} did not end: ${JSON.stringify(body)}`);
  }
  cloud.operations = cloud.operations.filter((one) => one !== operation);
  const outcome =
    expected ?? operation.end((body["response"] ?? {}) as Readonly<Record<string, unknown>>);
  const error = body["error"] as { readonly code: number; readonly message: string } | undefined;
  const actual = error === undefined ? undefined : STATUS_BY_CODE[error.code];
  session.note(`${operation.method} ended: ${actual ?? "OK"} ${error?.message ?? ""}`);
  if (actual !== outcome) {
    throw new Error(
      `${operation.method} ended with ${actual ?? "OK"}, expected ${outcome ?? "OK"}.`,
    );
  }
  cloud.ended.set(operation.name, outcome ?? "OK");
}
