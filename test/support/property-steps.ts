import fc from "fast-check";
import { BUCKET } from "./property-call.ts";
import { end, expectStatus, settle } from "./property-perform.ts";
import type { FaultKind, ReferenceCloud } from "./property-reference.ts";
import type { PropertySession } from "./property-session.ts";

const FAULTY = [
  ...["UploadModel", "MergeVersionAliases", "UpdateModel", "DeleteModel", "DeleteModelVersion"],
  ...["CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint", "DeployModel", "UndeployModel"],
  ...["MutateDeployedModel", "Predict"],
] as const;

interface FaultParams {
  readonly method: string;
  readonly kind: FaultKind;
  readonly status?: "UNAVAILABLE" | "INTERNAL";
  readonly stage?: string;
}

export const faults: fc.Arbitrary<FaultParams> = fc.oneof(
  fc.record({
    method: fc.constantFrom(...FAULTY),
    kind: fc.constantFrom("before" as const, "after" as const),
    status: fc.constantFrom("UNAVAILABLE", "INTERNAL", undefined) as fc.Arbitrary<"UNAVAILABLE">,
  }),
  fc.record({
    method: fc.constantFrom(...FAULTY.filter((method) => method !== "Predict")),
    kind: fc.constant("hold" as const),
  }),
  fc.record({
    method: fc.constant("DeployModel"),
    kind: fc.constant("stage" as const),
    stage: fc.constantFrom("PREPARING_MODEL", "GETTING_CONTAINER_IMAGE", "FINISHING_UP"),
    status: fc.constantFrom("UNAVAILABLE", "INTERNAL", undefined) as fc.Arbitrary<"UNAVAILABLE">,
  }),
);

/** Has the next call of a method go wrong. */
export async function declareFault(
  cloud: ReferenceCloud,
  session: PropertySession,
  { method, kind, status, stage }: FaultParams,
): Promise<void> {
  const declared = (await session.control("POST", "faults", {
    method,
    ...(kind === "hold" ? { hold: true } : {}),
    ...(kind === "stage" ? { stage, ...(status === undefined ? {} : { status }) } : {}),
    ...(kind === "before" || kind === "after"
      ? { when: kind, ...(status === undefined ? { reset: true } : { status }) }
      : {}),
  })) as { id: string };
  cloud.faults.push({
    id: declared.id,
    method,
    kind,
    status,
    ...(stage === undefined ? {} : { stage }),
  });
}

/** Deletes all faults: what they held goes on. */
export async function releaseFaults(
  cloud: ReferenceCloud,
  session: PropertySession,
): Promise<void> {
  await session.control("DELETE", "faults");
  cloud.faults = [];
  for (const operation of cloud.operations) operation.heldBy = undefined;
  await settle(cloud, session);
}

/** Picks among operations that run and that have ended; none when the emulator has none. */
function pickOperation(cloud: ReferenceCloud, position: number): string {
  const names = [...cloud.operations.map(({ name }) => name), ...[...cloud.ended.keys()].reverse()];
  return names[position] ?? "projects/1/locations/us-central1/models/m/operations/404";
}

/** An operation that runs ends at once, whatever it waits for. */
export async function cancelOperation(
  cloud: ReferenceCloud,
  session: PropertySession,
  { position }: { readonly position: number },
): Promise<void> {
  const name = pickOperation(cloud, position);
  const running = cloud.operations.find((operation) => operation.name === name);
  const answer = await session.send("POST", `/v1/${name}:cancel`, {});
  const isKnown = running !== undefined || cloud.ended.has(name);
  expectStatus({ method: "CancelOperation" }, answer, [isKnown ? "OK" : "NOT_FOUND"]);
  if (running !== undefined) await end(cloud, session, running, "CANCELLED");
}

export async function deleteOperation(
  cloud: ReferenceCloud,
  session: PropertySession,
  { position }: { readonly position: number },
): Promise<void> {
  const name = pickOperation(cloud, position);
  const isRunning = cloud.operations.some((operation) => operation.name === name);
  const isKnown = isRunning || cloud.ended.has(name);
  const answer = await session.send("DELETE", `/v1/${name}`);
  expectStatus({ method: "DeleteOperation" }, answer, [
    isRunning ? "FAILED_PRECONDITION" : isKnown ? "OK" : "NOT_FOUND",
  ]);
  if (!isRunning) cloud.ended.delete(name);
}

export const OBJECTS = ["a/model.mar", "b/model.mar", "b/notes.txt"] as const;

export async function putObject(
  cloud: ReferenceCloud,
  session: PropertySession,
  { name, content }: { readonly name: string; readonly content: string },
): Promise<void> {
  const path = `/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${encodeURIComponent(name)}`;
  const answer = await session.send("POST", path, content);
  expectStatus({ method: "storage.objects.insert" }, answer, ["OK"]);
  cloud.objects[name] = JSON.stringify(content);
}

export async function deleteObject(
  cloud: ReferenceCloud,
  session: PropertySession,
  { name }: { readonly name: string },
): Promise<void> {
  const path = `/storage/v1/b/${BUCKET}/o/${encodeURIComponent(name)}`;
  const answer = await session.send("DELETE", path);
  expectStatus({ method: "storage.objects.delete" }, answer, [
    name in cloud.objects ? "OK" : "NOT_FOUND",
  ]);
  delete cloud.objects[name];
}
