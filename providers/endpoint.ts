import type { EndpointServiceClient } from "@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js";

import { endpointClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { observeEndpoint } from "./deployed.ts";
import { ReconcileError, explain, isNotFound } from "./errors.ts";
import { lastSegment, locationOf } from "./names.ts";
import { accept, waitFor, waitForRunning } from "./operations.ts";
import type { WaitOptions } from "./operations.ts";
import { isOurs, orAdopt, ownerOf } from "./ownership.ts";
import { retrying } from "./retry.ts";
import { declaredLimit, recordedLimit } from "./time-limits.ts";
import type { TimeLimit } from "./time-limits.ts";
import { undeployAll } from "./undeploy.ts";
import type { DeploymentTarget } from "./undeploy.ts";

/** What identifies a stack's endpoint, and how long its deletion may take. */
export interface EndpointTarget extends DeploymentTarget {
  /** Longest wait for the deletion, in seconds. */
  readonly deleteTimeoutSeconds: number;
}

/**
 * Deletes the endpoint that a killed run made and the engine never recorded, with what this stack deployed on it. Gone
 * already, or somebody else's, is success.
 */
export async function deleteEndpointOf(target: EndpointTarget): Promise<void> {
  const wait = settling(target, recordedLimit(target, "deleteTimeoutSeconds"));
  try {
    await retrying(async () => {
      const client = await settledClient(target, wait);
      const found = await observeEndpoint(client, target.endpoint, target.stackUid);
      if (found === null || !isOurs(found.labels, target.stackUid)) return;
      await undeployAll(target);
      await deleteUnused(client, target, wait);
    });
  } catch (error) {
    if (isNotFound(error)) return;
    throw explain(`delete endpoint "${target.endpoint}"`, error);
  }
}

/**
 * Makes way for an endpoint that the engine is about to create: one of that id that bears this stack's mark and serves nothing
 * was left by a killed run, or is still being made by one, and is deleted. Throws ReconcileError, naming the owner, when the
 * id is not this stack's.
 */
export async function makeWayForEndpoint(target: EndpointTarget): Promise<void> {
  const wait = settling(target, declaredLimit(target, "deleteTimeoutSeconds"));
  try {
    await retrying(async () => {
      const client = await settledClient(target, wait);
      const found = await observeEndpoint(client, target.endpoint, target.stackUid);
      if (found === null) return;
      const id = lastSegment(target.endpoint);
      if (!isOurs(found.labels, target.stackUid)) {
        throw new ReconcileError(
          `Could not create endpoint "${id}": it exists and belongs to ${ownerOf(found.labels)}. Its id is made from project and stack name: use another stack name, or delete that endpoint if nobody needs it${orAdopt(found.labels)}.`,
        );
      }
      if (found.ours.length + found.foreign.length > 0) {
        throw new ReconcileError(
          `Could not create endpoint "${id}": it exists, serves models and is not in this stack's state. Undeploy them if nobody needs them, then run the same command again.`,
        );
      }
      await deleteUnused(client, target, wait);
    });
  } catch (error) {
    if (isNotFound(error)) return;
    throw explain(`create endpoint "${target.endpoint}"`, error);
  }
}

/** A client, once no creation or deletion of the endpoint is under way. */
async function settledClient(
  target: EndpointTarget,
  wait: WaitOptions,
): Promise<EndpointServiceClient> {
  const client = await endpointClient(
    requireConnection(target.emulator),
    locationOf(target.endpoint),
  );
  await waitForRunning(client, target.endpoint, ["createEndpoint", "deleteEndpoint"], wait);
  return client;
}

async function deleteUnused(
  client: EndpointServiceClient,
  target: EndpointTarget,
  wait: WaitOptions,
): Promise<void> {
  const accepted = await accept("deleteEndpoint", () =>
    client.deleteEndpoint({ name: target.endpoint }),
  );
  await waitFor(client, accepted, wait);
}

function settling(target: EndpointTarget, limit: TimeLimit): WaitOptions {
  return { limit, what: `settling of endpoint "${target.endpoint}"` };
}
