import { endpointClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { endpointIsOurs, observeEndpoint, splitWithout } from "./deployed.ts";
import { explain, isNotFound } from "./errors.ts";
import { locationOf } from "./names.ts";
import { accept, waitFor, waitForRunning } from "./operations.ts";
import type { WaitOptions } from "./operations.ts";
import { retrying } from "./retry.ts";
import { recordedLimit } from "./time-limits.ts";

/** What identifies a stack's deployments: enough to sweep them when the engine never recorded them. */
export interface DeploymentTarget {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly endpoint: string;
  /** Longest wait for one undeployment, in seconds. */
  readonly undeployTimeoutSeconds: number;
}

/** Operations that change what an endpoint serves; only one runs at a time. */
export const ENDPOINT_OPERATIONS = ["deployModel", "undeployModel", "mutateDeployedModel"];

/**
 * Undeploys everything on the endpoint that bears this stack's mark, lowest traffic first, after the operations in flight
 * have ended. An endpoint or deployed model that is gone already is success.
 */
export async function undeployAll(target: DeploymentTarget): Promise<void> {
  const wait: WaitOptions = {
    limit: recordedLimit(target, "undeployTimeoutSeconds"),
    what: `undeployment from endpoint "${target.endpoint}"`,
  };
  try {
    const connection = requireConnection(target.emulator);
    const client = await endpointClient(connection, locationOf(target.endpoint));
    await retrying(async () => {
      await waitForRunning(client, target.endpoint, ENDPOINT_OPERATIONS, wait);
      for (;;) {
        const endpoint = await observeEndpoint(client, target.endpoint, target.stackUid);
        if (endpoint === null || !endpointIsOurs(endpoint, target.stackUid)) return;
        const next = [...endpoint.ours].sort((a, b) => a.traffic - b.traffic)[0];
        if (next === undefined) return;
        const accepted = await accept("undeployModel", () =>
          client.undeployModel({
            endpoint: target.endpoint,
            deployedModelId: next.id,
            trafficSplit: splitWithout(endpoint, next.id),
          }),
        );
        await waitFor(client, accepted, wait);
      }
    });
  } catch (error) {
    if (isNotFound(error)) return;
    throw explain(`undeploy from endpoint "${target.endpoint}"`, error);
  }
}
