import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
