import { isDeepStrictEqual } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { differences } from "./property-invariants.ts";
import { observe } from "./property-observation.ts";
import type { Observation } from "./property-observation.ts";
import { expectPrediction } from "./property-predict.ts";
import type { ExpectedCall } from "./property-call.ts";
import { expectStatus } from "./property-perform.ts";
import { copyRecords } from "./property-reference.ts";
import type { ReferenceCloud } from "./property-reference.ts";
import type { Answer, PropertySession } from "./property-session.ts";
import { expectServers } from "./property-verify.ts";

const ABORTED = 10;

/** Ends the emulator and starts it again: all that was answered is there, byte for byte; operations under way have ended. */
export async function restart(
  cloud: ReferenceCloud,
  session: PropertySession,
  signal: "SIGTERM" | "SIGKILL",
): Promise<void> {
  const before = await observe(session);
  await session.restart(signal);
  const after = await observe(session);
  expectUnchanged(before, after, []);
  expectAborted(cloud, after);
  await expectServers(session);
  for (const endpoint of Object.keys(cloud.endpoints)) {
    await expectPrediction(cloud, session, endpoint);
  }
}

/** Kills the emulator while it works on a call: what comes of it is all or nothing. */
export async function killDuring(
  cloud: ReferenceCloud,
  session: PropertySession,
  call: ExpectedCall,
  afterMs: number,
): Promise<void> {
  const before = await observe(session);
  const records = copyRecords(cloud);
  const asked = session.send(call.verb, call.path, call.body);
  await delay(afterMs);
  await session.restart("SIGKILL");
  const answer = await asked;
  if (answer.status !== "RESET") {
    expectStatus(call, answer, call.refusals.length > 0 ? call.refusals : ["OK"]);
  }
  const after = await observe(session);
  expectUnchanged(before, after, call.target === undefined ? [] : [call.target]);
  expectAborted(cloud, after, before);
  if (call.refusals.length === 0) takeOver(cloud, call, answer, after, records);
}

/** A call that was not answered, or whose operation was under way, may have had its effect; nothing in between. */
function takeOver(
  cloud: ReferenceCloud,
  call: ExpectedCall,
  answer: Answer,
  after: Observation,
  records: ReturnType<typeof copyRecords>,
): void {
  const name = answer.status === "OK" ? answer.body["name"] : undefined;
  const operation = after.operations.find((one) => one.name === name);
  if (answer.status === "OK" && call.operation !== undefined && operation === undefined) {
    throw new Error(`The answered operation "${String(name)}" is gone after the restart.`);
  }
  call.apply?.();
  call.operation?.end(operation?.response ?? {});
  const isDone = differences(cloud, after).length === 0;
  const mustBeDone =
    (answer.status === "OK" && call.apply !== undefined) || operation?.response !== undefined;
  if (isDone) return;
  if (!mustBeDone) Object.assign(cloud, records);
  const left = differences(cloud, after);
  if (left.length > 0) throw new Error(`Half done after kill -9: ${left.join("\n")}`);
}

/** All documents but those of operations under way and of the targets. */
function expectUnchanged(
  before: Observation,
  after: Observation,
  targets: readonly string[],
): void {
  for (const [path, document] of before.documents) {
    const isTarget = targets.some((target) => path.startsWith(target));
    // Lists hold what changes; what they list is compared one by one.
    const isList = !path.includes("/") || path.startsWith("operations");
    if (isTarget || isList) continue;
    const now = after.documents.get(path);
    if (JSON.stringify(now) === JSON.stringify(document)) continue;
    throw new Error(
      `${path} is ${JSON.stringify(now)} after the restart, before ${JSON.stringify(document)}.`,
    );
  }
  for (const operation of before.operations.filter(({ done }) => done === true)) {
    const now = after.operations.find(({ name }) => name === operation.name);
    if (isDeepStrictEqual(now, operation)) continue;
    throw new Error(`The ended operation "${operation.name}" changed by a restart.`);
  }
}

/** What was under way has failed, and is known by that; faults were the old process's own. */
function expectAborted(cloud: ReferenceCloud, after: Observation, before?: Observation): void {
  for (const { name, method } of cloud.operations) {
    const now = after.operations.find((one) => one.name === name);
    if (now?.done === true && now.error?.code === ABORTED) continue;
    throw new Error(`${method} was under way and is ${JSON.stringify(now)} after the restart.`);
  }
  for (const { name } of cloud.operations) cloud.ended.set(name, "ABORTED");
  cloud.operations = [];
  cloud.faults = [];
  if (before === undefined) return;
  for (const { name, done, error } of after.operations) {
    if (done !== true) throw new Error(`"${name}" still runs after a restart.`);
    cloud.ended.set(name, error === undefined ? "OK" : "ABORTED");
  }
}
