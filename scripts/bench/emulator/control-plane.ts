import { endpointClient, modelClient } from "../../../providers/clients.ts";
import type { Report } from "../../toolchain/report.ts";
import { interleave, measureCalls, ratioOf, spreadOf } from "../measure.ts";
import type { CallRate, Contestant, Spread } from "../measure.ts";
import { formatNumber, formatRatio, formatTable } from "../table.ts";
import { withFloor } from "./floor.ts";
import { LOCATION, PARENT, closeClients, requestJson } from "./subject.ts";
import type { Address, Subject } from "./subject.ts";

/** What one kind of caller saw of one method. */
export interface ControlPlaneRow {
  readonly method: string;
  /** Endpoints that there were. */
  readonly endpoints: number;
  readonly by: Transport;
  /** Callers at a time. */
  readonly callers: number;
  readonly callsPerSecond: Spread;
  /** Of all calls of all rounds, milliseconds. */
  readonly latencyMs: Spread;
  readonly floorCallsPerSecond: Spread;
  readonly floorLatencyMs: Spread;
  /** Calls a second against the floor's, round by round. */
  readonly ratio: Spread;
}

export interface ControlPlaneOptions {
  readonly rounds: number;
  /** Of each caller kind in each round. */
  readonly calls: number;
  /** Endpoints of the crowded location. */
  readonly manyEndpoints: number;
  readonly signal: AbortSignal;
}

const TRANSPORTS = ["gRPC", "REST"] as const;
type Transport = (typeof TRANSPORTS)[number];

const CALLERS = [1, 8] as const;
const MODEL = `${PARENT}/models/bench`;
/** Stored in the registry, never deployed. */
const IMAGE = "us-docker.pkg.dev/bench/bench/server:1";
const ENDPOINT = { displayName: "bench" };

interface Scene {
  readonly method: string;
  readonly endpoints: number;
  /** Whether a call leaves something behind, so that the state has to be made anew before each run. */
  readonly isChange: boolean;
  readonly call: Readonly<Record<Transport, (address: Address) => Promise<unknown>>>;
}

function listScenes(manyEndpoints: number): readonly Scene[] {
  const getModel = {
    gRPC: async (address: Address) =>
      (await modelClient(address, LOCATION)).getModel({ name: MODEL }),
    REST: ({ rest }: Address) => requestJson(`${rest}/v1/${MODEL}`),
  };
  const listEndpoints = {
    gRPC: async (address: Address) =>
      (await endpointClient(address, LOCATION)).listEndpoints(
        { parent: PARENT },
        { autoPaginate: false },
      ),
    REST: ({ rest }: Address) => requestJson(`${rest}/v1/${PARENT}/endpoints`),
  };
  const createEndpoint = { gRPC: createByClient, REST: createByRequest };
  const scene = (method: string, endpoints: number, call: Scene["call"]): Scene => ({
    method,
    endpoints,
    isChange: call === createEndpoint,
    call,
  });
  return [
    scene("GetModel", 1, getModel),
    scene("ListEndpoints", 1, listEndpoints),
    scene("ListEndpoints, a page of 100", manyEndpoints, listEndpoints),
    scene("CreateEndpoint + GetOperation", 1, createEndpoint),
    scene("CreateEndpoint + GetOperation", manyEndpoints, createEndpoint),
  ];
}

async function createByClient(address: Address): Promise<void> {
  const client = await endpointClient(address, LOCATION);
  const [{ name }] = await client.createEndpoint({ parent: PARENT, endpoint: ENDPOINT });
  const { done } = await client.checkCreateEndpointProgress(name ?? "");
  requireDone(done, name);
}

async function createByRequest({ rest }: Address): Promise<void> {
  const { name } = await requestJson<{ name: string }>(`${rest}/v1/${PARENT}/endpoints`, ENDPOINT);
  const { done } = await requestJson<{ done?: boolean }>(`${rest}/v1/${name}`);
  requireDone(done, name);
}

/** With a fast clock an operation has ended before anyone can ask. */
function requireDone(done: boolean | undefined, name: string | undefined): void {
  if (done !== true) throw new Error(`operation "${name}" had not ended when it was asked for`);
}

/** Calls a second and latency of control-plane methods, against a bare server that answers the same bytes. */
export async function measureControlPlane(
  { address }: Subject,
  options: ControlPlaneOptions,
  report: Report,
): Promise<readonly ControlPlaneRow[]> {
  await requestJson(`${address.rest}/_emulator/clock`, { mode: "fast" });
  const rows: ControlPlaneRow[] = [];
  for (const scene of listScenes(options.manyEndpoints)) {
    const step = report.step(`${scene.method}, endpoints: ${scene.endpoints}`);
    await fill(address, scene.endpoints);
    const measured = await withFloor(address, async (floor) => {
      try {
        return await measureScene(scene, address, floor, options, (detail) => step.update(detail));
      } finally {
        await closeClients(floor);
      }
    });
    rows.push(...measured);
    step.done();
  }
  await closeClients(address);
  return rows;
}

/** One model and that many endpoints, and no record of anything earlier. */
async function fill({ rest }: Address, endpoints: number): Promise<void> {
  await requestJson(`${rest}/_emulator/reset`, {});
  await requestJson(`${rest}/v1/${PARENT}/models:upload`, {
    modelId: "bench",
    model: { displayName: "bench", containerSpec: { imageUri: IMAGE } },
  });
  const create = () => requestJson(`${rest}/v1/${PARENT}/endpoints`, ENDPOINT);
  await measureCalls(create, { calls: endpoints, callers: 8 });
}

async function measureScene(
  scene: Scene,
  emulator: Address,
  floor: Address,
  { calls, rounds, signal }: ControlPlaneOptions,
  onProgress: (detail: string) => void,
): Promise<readonly ControlPlaneRow[]> {
  const kinds = TRANSPORTS.flatMap((by) => CALLERS.map((callers) => ({ by, callers })));
  const nameOf = (who: string, { by, callers }: (typeof kinds)[number]): string =>
    `${who}, ${callers} by ${by}`;
  const contestants = kinds.flatMap((kind): readonly Contestant<CallRate>[] => {
    const measure = (address: Address) =>
      measureCalls(() => scene.call[kind.by](address), { calls, callers: kind.callers });
    return [
      { name: nameOf("floor", kind), run: () => measure(floor) },
      {
        name: nameOf("emulator", kind),
        run: async () => {
          if (scene.isChange) await fill(emulator, scene.endpoints);
          return measure(emulator);
        },
      },
    ];
  });
  const results = await interleave(contestants, { rounds, signal, onProgress });
  return kinds.map((kind) => {
    const own = results.get(nameOf("emulator", kind)) ?? [];
    const bare = results.get(nameOf("floor", kind)) ?? [];
    return {
      method: scene.method,
      endpoints: scene.endpoints,
      ...kind,
      callsPerSecond: spreadOf(own.map(rateOf)),
      latencyMs: spreadOf(own.flatMap(({ latenciesMs }) => latenciesMs)),
      floorCallsPerSecond: spreadOf(bare.map(rateOf)),
      floorLatencyMs: spreadOf(bare.flatMap(({ latenciesMs }) => latenciesMs)),
      ratio: ratioOf(own.map(rateOf), bare.map(rateOf)),
    };
  });
}

function rateOf({ callsPerSecond }: CallRate): number {
  return callsPerSecond;
}

export function formatControlPlane(rows: readonly ControlPlaneRow[]): string {
  return formatTable(rows, [
    { head: "method", cell: ({ method }) => method, align: "left" },
    { head: "endpoints", cell: ({ endpoints }) => String(endpoints) },
    { head: "by", cell: ({ by }) => by, align: "left" },
    { head: "callers", cell: ({ callers }) => String(callers) },
    { head: "calls/s", cell: ({ callsPerSecond }) => formatNumber(callsPerSecond.median) },
    { head: "median ms", cell: ({ latencyMs }) => formatNumber(latencyMs.median) },
    { head: "p95 ms", cell: ({ latencyMs }) => formatNumber(latencyMs.p95) },
    { head: "floor calls/s", cell: (row) => formatNumber(row.floorCallsPerSecond.median) },
    { head: "floor median ms", cell: (row) => formatNumber(row.floorLatencyMs.median) },
    { head: "calls/s against floor", cell: ({ ratio }) => formatRatio(ratio) },
  ]);
}
