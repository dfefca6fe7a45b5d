import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { createStorage, type Storage } from "../../emulator/storage/index.ts";
import type { Around } from "../../emulator/calls.ts";

/** The storage emulator behind a bare HTTP server on a free loopback port. */
export interface StorageServer {
  readonly url: string;
  readonly storage: Storage;
  /** Ends the server as kill -9 would: connections are cut, nothing is flushed. */
  stop(): Promise<void>;
}

const passThrough: Around = (_call, work) => work();

export async function startStorageServer(
  dataDir: string,
  options: { around?: Around; now?: () => Date } = {},
): Promise<StorageServer> {
  const { around = passThrough, now = () => new Date() } = options;
  const storage = await createStorage({ dataDir, now, around });
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "/", `http://${req.headers.host ?? "localhost"}`);
    storage.handle(req, res, url).then(
      (handled) => {
        if (!handled) res.writeHead(418).end();
      },
      (error: unknown) => res.destroy(error as Error),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    storage,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A folder for one test file; `remove` when the tests are done. */
export async function makeFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "storage-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
/** What the local Cloud Storage answered to one request. */
export interface StorageReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON body; {} where there is none. */
  readonly body: Record<string, unknown>;
}

/** Plain HTTP to one bucket of a storage server, for tests of what no client library sends or shows. */
export interface StorageCaller {
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<StorageReply>;
  /** Makes the bucket, with these fields. */
  makeBucket(fields?: Readonly<Record<string, unknown>>): Promise<StorageReply>;
  /** Uploads an object of the bucket in one request. `query` begins with "&". */
  save(name: string, content?: string, query?: string): Promise<StorageReply>;
  /** Path of an object of the bucket. `query` begins with "?" or goes on with the path. */
  at(name: string, query?: string): string;
  /** Names that a list of the bucket with this query holds. */
  names(query: string): Promise<unknown>;
}

export function storageCaller(url: () => string, bucket: string): StorageCaller {
  const call: StorageCaller["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(url() + path, {
      method,
      headers,
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : {},
    };
  };
  return {
    call,
    makeBucket: (fields = {}) =>
      call("POST", "/storage/v1/b?project=p", { name: bucket, ...fields }),
    save: (name, content = "content", query = "") =>
      call(
        "POST",
        `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}${query}`,
        content,
        { "content-type": "text/plain" },
      ),
    at: (name, query = "") => `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}${query}`,
    names: async (query) => {
      const { body } = await call("GET", `/storage/v1/b/${bucket}/o?${query}`);
      return ((body.items ?? []) as { name: string }[]).map(({ name }) => name);
    },
  };
}

/** The storage emulator in a process of its own, which can be killed as kill -9 does. */
export interface StorageProcess {
  readonly url: string;
  /** Makes the process kill itself just before it changes the disk for the `step`-th time from now on, 1 for the next. */
  killBefore(step: number): Promise<void>;
  kill(): Promise<void>;
  /** Whether it has ended. */
  readonly isDead: boolean;
}

export async function startStorageProcess(dataDir: string): Promise<StorageProcess> {
  const emulatorFile = (file: string): string =>
    JSON.stringify(new URL(`../../emulator/storage/${file}`, import.meta.url).href);
  const program = `
    import { DataWriter } from ${emulatorFile("data-files.ts")};
    import { Persistence } from ${emulatorFile("persistence.ts")};
    import { startStorageServer } from ${JSON.stringify(import.meta.url)};
    const steps = [
      [DataWriter.prototype, ["write"]],
      [Persistence.prototype, ["writeDocument", "removeDocument", "createData", "linkData", "concatenateData", "linkPiece", "removeData"]],
    ];
    let left = Infinity;
    for (const [prototype, names] of steps) {
      for (const name of names) {
        const original = prototype[name];
        prototype[name] = function (...args) {
          if (--left === 0) process.kill(process.pid, "SIGKILL");
          return original.apply(this, args);
        };
      }
    }
    process.on("message", (step) => {
      left = step;
      process.send("armed");
    });
    console.log((await startStorageServer(${JSON.stringify(dataDir)})).url);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  const ended = once(child, "exit");
  const [line] = await once(createInterface({ input: child.stdout! }), "line");
  return {
    url: String(line),
    killBefore: async (step) => {
      child.send(step);
      await once(child, "message");
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
    get isDead() {
      return child.exitCode !== null || child.signalCode !== null;
    },
  };
}
