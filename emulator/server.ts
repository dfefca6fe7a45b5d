import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { refuseWebPages } from "./browser-guard.ts";
import type { Around } from "./calls.ts";
import { Clock } from "./clock.ts";
import type { ClockMode } from "./clock.ts";
import { handleControl } from "./control.ts";
import { DataFolder } from "./data-folder.ts";
import type { Address } from "./data-folder.ts";
import { ApiError } from "./errors.ts";
import { Faults } from "./faults.ts";
import { sendError } from "./http.ts";
import { createPage } from "./page/index.ts";
import { RequestLog } from "./request-log.ts";
import { ServerPool } from "./runtime/server-pool.ts";
import type { ServerRuntime } from "./runtime/server-runtime.ts";
import { describeState } from "./state.ts";
import { createStorage } from "./storage/index.ts";
import { removeUnusedArtifacts } from "./vertex/artifacts.ts";
import { Cloud } from "./vertex/cloud.ts";
import { toServerSpec } from "./vertex/container.ts";
import { VertexGrpc } from "./vertex/grpc.ts";
import { createMethods } from "./vertex/methods.ts";
import { Quotas } from "./vertex/quotas.ts";
import { VertexRest } from "./vertex/rest.ts";

export interface EmulatorOptions {
  /** Folder of all state; made if needed. One living emulator per folder. */
  readonly dataDir: string;
  /** REST port; 0 = a free one. @default 8085 */
  readonly port?: number;
  /** gRPC port; 0 = a free one. @default 8086 */
  readonly grpcPort?: number;
  /** Address to listen on. Anything but loopback lets the network in. @default "127.0.0.1" */
  readonly host?: string;
  /** How time passes for operations. @default "real" */
  readonly clock?: ClockMode;
  /** Time that each stage of an operation takes, milliseconds. @default 300 */
  readonly stageMs?: number;
  /** Python with TorchServe and the packages of the project's own server, for deployed models. @default VERTEX_DIFFUSION_PYTHON, else "python3" */
  readonly python?: string;
  /** What stands in for the containers of deployed models. @default by the image: TorchServe, or the project's own server */
  readonly runtime?: ServerRuntime;
  /** How long a model server may take to become ready, milliseconds of real time. @default 300000 */
  readonly startupTimeoutMs?: number;
}

export interface Emulator {
  readonly address: Address;
  /** Stops listening, stops all server processes and gives the data folder up. State stays on disk. */
  close(): Promise<void>;
}

/** How long an idle connection is kept, milliseconds: the client keep-alive of Google's load balancers (610 s by default). */
const KEEP_ALIVE_MS = 610_000;

/** A port is taken. The message is for a person. */
export class PortInUseError extends Error {
  override readonly name = "PortInUseError";
}

export const DEFAULT_PORT = 8085;
export const DEFAULT_GRPC_PORT = 8086;
const DEFAULT_STAGE_MS = 300;
const DEFAULT_STARTUP_TIMEOUT_MS = 300_000;

/** Starts the local Vertex AI and Cloud Storage. Throws PortInUseError, DataFolderInUseError. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const folder = new DataFolder(options.dataDir);
  try {
    return await startOn(folder, options);
  } catch (error) {
    folder.release();
    throw error;
  }
}

async function startOn(folder: DataFolder, options: EmulatorOptions): Promise<Emulator> {
  const host = options.host ?? "127.0.0.1";
  const clock = new Clock(options.clock ?? "real");
  const faults = new Faults(clock);
  const requests = new RequestLog(clock);
  const quotas = new Quotas(join(folder.path, "quotas.json"));
  const around: Around = (call, work) => requests.record(call, () => faults.play(call, work));
  const storage = await createStorage({
    dataDir: join(folder.path, "storage"),
    now: () => clock.now(),
    around,
  });
  const servers = new ServerPool({
    dataDir: folder.path,
    python: options.python ?? process.env["VERTEX_DIFFUSION_PYTHON"] ?? "python3",
    startupTimeoutMs: options.startupTimeoutMs ?? DEFAULT_STARTUP_TIMEOUT_MS,
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
  });
  // Known in full once both ports are open.
  let address: Address = { rest: "", grpc: "", pid: process.pid, data: folder.path };
  const cloud = new Cloud({
    dataDir: folder.path,
    clock,
    faults,
    quotas,
    objects: storage.objects,
    servers,
    storageUrl: () => address.rest,
    stageMs: options.stageMs ?? DEFAULT_STAGE_MS,
  });
  const methods = createMethods(cloud);
  const rest = new VertexRest(methods, around);
  const controlled = {
    clock,
    faults,
    quotas,
    requests,
    dataDir: folder.path,
    state: () => describeState(cloud, storage),
    readLog: (id: string) => readLog(cloud, id),
    reset: async () => {
      faults.remove();
      quotas.set({});
      await servers.stopAll();
      await storage.reset();
      cloud.clear();
      await removeUnusedArtifacts(cloud);
      rmSync(join(folder.path, "containers"), { recursive: true, force: true });
      requests.clear();
    },
  };
  const page = createPage({
    ...controlled,
    address: () => address,
    quotas: () => quotas.overrides(),
    listObjects: (bucket, prefix) => storage.objects.listObjects(bucket, prefix),
    logIds: () => servers.findIds(),
  });
  const http = createServer((req, res) => {
    void (async () => {
      refuseWebPages(req, host);
      const url = new URL(req.url ?? "/", "http://emulator");
      if (page(req, res, url)) return;
      if (await handleControl(controlled, req, res, url)) return;
      if (await rest.handle(req, res, url)) return;
      if (await storage.handle(req, res, url)) return;
      sendError(res, new ApiError("NOT_FOUND", `Nothing is served at ${url.pathname}.`));
    })().catch((error: unknown) => sendError(res, error));
  });
  // Uploads of gigabytes and predictions of many minutes are both longer than Node's default.
  http.requestTimeout = 0;
  // Node's 5 s would close an idle connection just when a client that was busy until then uses it again.
  http.keepAliveTimeout = KEEP_ALIVE_MS;
  const grpc = new VertexGrpc(methods, around);
  failInterrupted(cloud);
  await removeUnusedArtifacts(cloud);
  const port = await listen(http, options.port ?? DEFAULT_PORT, host);
  const grpcPort = await listenGrpc(grpc, options.grpcPort ?? DEFAULT_GRPC_PORT, host).catch(
    async (error: unknown) => {
      await closeHttp(http);
      throw error;
    },
  );
  address = { ...address, rest: `http://${host}:${port}`, grpc: `${host}:${grpcPort}` };
  resumeServers(cloud);
  folder.writeAddress(address);
  return {
    address,
    close: async () => {
      cloud.close();
      await Promise.all([closeHttp(http), grpc.close(), servers.stopAll()]);
      await storage.close();
      folder.release();
    },
  };
}

/** After a restart: what was under way has failed, before anybody can call and begin something new. */
function failInterrupted(cloud: Cloud): void {
  cloud.operations.failInterrupted();
  for (const endpoint of cloud.endpoints.list()) {
    if (endpoint.deploying.length > 0) cloud.endpoints.put({ ...endpoint, deploying: [] });
  }
}

/** After a restart: what was deployed is started again. */
function resumeServers(cloud: Cloud): void {
  for (const endpoint of cloud.endpoints.list()) {
    for (const deployed of endpoint.deployed) {
      cloud.servers.resume(toServerSpec(cloud, endpoint, deployed));
    }
  }
}

function readLog(cloud: Cloud, id: string): string {
  const server = cloud.servers.findIds().find((one) => one === id || one.endsWith(`-${id}`));
  if (server !== undefined) return cloud.servers.readLog(server);
  throw new ApiError("NOT_FOUND", `No server of a DeployedModel "${id}" has left a log.`);
}

async function listen(http: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    http.once("error", (error) => reject(toListenError(error, host, port, "--port")));
    http.listen(port, host, resolve);
  });
  return (http.address() as AddressInfo).port;
}

async function listenGrpc(grpc: VertexGrpc, port: number, host: string): Promise<number> {
  try {
    return await grpc.listen(port, host);
  } catch (error) {
    throw toListenError(error, host, port, "--grpc-port");
  }
}

function toListenError(error: unknown, host: string, port: number, option: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== "EADDRINUSE" && code !== "EACCES") return error;
  const why = code === "EACCES" ? "may not be used by this user" : "is in use";
  return new PortInUseError(
    `The emulator was not started: port ${port} on ${host} ${why}. Stop what uses it, or choose another with ${option} (0 = a free one).`,
  );
}

async function closeHttp(http: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  http.closeAllConnections();
  await closed;
}
