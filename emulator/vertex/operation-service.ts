import { setTimeout as delay } from "node:timers/promises";
import { ApiError } from "../errors.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { page } from "./listing.ts";
import type { ListRequest } from "./listing.ts";
import { canonicalName } from "./names.ts";
import { toDocument } from "./operations.ts";
import type { Document, OperationRecord } from "./types.ts";

const DEFAULT_WAIT_MS = 60_000;

interface Named {
  readonly name?: string;
}

export async function getOperation(
  cloud: Cloud,
  request: Named,
  call: MethodCall,
): Promise<Document> {
  return toDocument(cloud.operations.get(request.name ?? ""), call.version);
}

/** Operations under a location, a model or an endpoint. Filters: `done=true`, `done=false`. */
export async function listOperations(
  cloud: Cloud,
  request: ListRequest & Named,
  call: MethodCall,
): Promise<Document> {
  const parent = canonicalName((request.name ?? "").replace(/\/operations\/?$/, ""));
  const matching = cloud.operations
    .list()
    .filter((record) => record.name.startsWith(`${parent}/`))
    .filter((record) => passes(record, request.filter));
  const found = page(matching, request);
  return {
    operations: found.items.map((record) => toDocument(record, call.version)),
    nextPageToken: found.nextPageToken,
  };
}

function passes(record: OperationRecord, filter: string | undefined): boolean {
  if (filter === undefined || filter.trim() === "") return true;
  const wanted = /^\s*done\s*[=:]\s*"?(true|false)"?\s*$/i.exec(filter)?.[1];
  if (wanted === undefined) {
    throw new ApiError("INVALID_ARGUMENT", `The filter "${filter}" is not supported.`);
  }
  return record.done === (wanted.toLowerCase() === "true");
}

/** Answers when the operation has ended or the timeout has passed, whichever is first. */
export async function waitOperation(
  cloud: Cloud,
  request: Named & { readonly timeout?: string },
  call: MethodCall,
): Promise<Document> {
  const name = cloud.operations.get(request.name ?? "").name;
  const ms =
    request.timeout === undefined ? DEFAULT_WAIT_MS : Number.parseFloat(request.timeout) * 1000;
  await Promise.race([
    cloud.operations.wait(name),
    delay(Math.min(ms, DEFAULT_WAIT_MS), undefined, { ref: false }),
  ]);
  return getOperation(cloud, request, call);
}

/** Best effort, as the reference has it: what is past its last stage ends as it would have. */
export async function cancelOperation(cloud: Cloud, request: Named): Promise<Document> {
  cloud.operations.cancel(request.name ?? "");
  return {};
}

export async function deleteOperation(cloud: Cloud, request: Named): Promise<Document> {
  const record = cloud.operations.get(request.name ?? "");
  if (!record.done) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `The operation "${record.name}" is still running and can't be deleted.`,
    );
  }
  cloud.operations.delete(record.name);
  return {};
}
