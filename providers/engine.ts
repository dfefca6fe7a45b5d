import { subscribe } from "node:diagnostics_channel";

import { credentials } from "@grpc/grpc-js";
import enginerpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineproto from "@pulumi/pulumi/proto/engine_pb.js";

import { endWithEngine } from "./engine-watch.ts";

/** The engine's address is the last argument of a provider process; undefined outside one (tests, scripts). */
function engineAddress(): string | undefined {
  const last = process.argv.at(-1);
  return last !== undefined && /^[\w.-]+:\d+$/.test(last) ? last : undefined;
}

let client: InstanceType<typeof enginerpc.EngineClient> | undefined;

/** Shortest time between two progress lines of one resource: without a terminal each one is a line of the log. */
const PROGRESS_INTERVAL_MS = 1_000;
const shownAt = new Map<string, number>();

/**
 * Shows a line in the resource's Info column while its step runs, at most one a second. Without a URN or an engine it does
 * nothing; a lost line is no failure.
 */
export function showProgress(urn: string | undefined, line: string): void {
  if (
    urn === undefined ||
    performance.now() - (shownAt.get(urn) ?? -Infinity) < PROGRESS_INTERVAL_MS
  ) {
    return;
  }
  shownAt.set(urn, performance.now());
  log(urn, line, true);
}

const said = new Set<string>();

/**
 * Says a line about a resource that stays in the run's output, once a run: the engine asks for a diff more than once. Null
 * is nothing to say.
 */
export function say(urn: string | undefined, line: string | null): void {
  if (line === null) return;
  if (said.has(`${urn} ${line}`)) return;
  said.add(`${urn} ${line}`);
  log(urn, line, false);
}

function log(urn: string | undefined, line: string, ephemeral: boolean): void {
  const address = engineAddress();
  if (address === undefined || urn === undefined || urn === "") return;
  client ??= new enginerpc.EngineClient(address, credentials.createInsecure());
  const request = new engineproto.LogRequest();
  request.setSeverity(engineproto.LogSeverity.INFO);
  request.setUrn(urn);
  request.setMessage(line);
  request.setEphemeral(ephemeral);
  client.log(request, () => undefined);
}

/** Path of the call by which the engine passes on the first Ctrl-C, or SIGTERM, of its run. */
const CANCEL_PATH = "/pulumirpc.ResourceProvider/Cancel";

const cancellation = new AbortController();

/**
 * Aborted once the engine has asked its providers to stop: the first Ctrl-C. The engine then waits for the steps that
 * run, so they have to end by themselves. Never aborted outside a provider process.
 */
export const cancelled: AbortSignal = cancellation.signal;

/**
 * Pulumi's server for dynamic providers answers Cancel without telling the provider, so the call is heard on Node's own
 * diagnostics channel (nodejs/node#58449). On a Node older than that channel a run ends when its running steps do.
 */
function hearCancel(): void {
  subscribe("http2.server.stream.start", (message) => {
    const { headers } = message as { headers: Record<string, unknown> };
    if (headers[":path"] === CANCEL_PATH) cancellation.abort();
  });
}

// Whatever a provider process does first, it loads this module: from then on it ends with its engine and hears Cancel.
const engine = engineAddress();
if (engine !== undefined) {
  endWithEngine(engine);
  hearCancel();
}
