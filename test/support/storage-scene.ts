import { createHash } from "node:crypto";
import { join } from "node:path";

import { afterAll, beforeAll } from "@jest/globals";

import { crc32c, encodeCrc32c } from "../../emulator/storage/crc32c.ts";
import { makeFolder, startStorageServer, storageCaller } from "./storage-server.ts";
import type { StorageCaller, StorageServer } from "./storage-server.ts";

/** A storage server for all tests of a file, in a folder of its own, and plain HTTP to one bucket of it. */
export interface StorageScene extends StorageCaller, Pick<StorageServer, "url" | "storage"> {
  /** Path of the folder; what the server writes is in `state` there. */
  readonly folder: string;
  /** Path of the folder in which the server has a file for each content. */
  readonly dataFolder: string;
  /** MD5 of an object's content as it is downloaded, or the status where it can't be. */
  md5Of(name: string): Promise<string | number>;
}

/** Starts the server before the tests of the file that calls this, and stops it after them; the bucket is theirs to make. */
export function useStorageServer(
  bucket: string,
  options: Parameters<typeof startStorageServer>[1] = {},
): StorageScene {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let server: StorageServer;
  const caller = storageCaller(() => server.url, bucket);

  beforeAll(async () => {
    folder = await makeFolder();
    server = await startStorageServer(join(folder.path, "state"), options);
  });

  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  return {
    ...caller,
    get url() {
      return server.url;
    },
    get storage() {
      return server.storage;
    },
    get folder() {
      return folder.path;
    },
    get dataFolder() {
      return join(folder.path, "state", "data");
    },
    md5Of: async (name) => {
      const response = await fetch(server.url + caller.at(name, "?alt=media"));
      const content = Buffer.from(await response.arrayBuffer());
      return response.ok ? md5(content) : response.status;
    },
  };
}

/** MD5 of a content as Cloud Storage writes it. */
export function md5(content: Buffer): string {
  return createHash("md5").update(content).digest("base64");
}

/** CRC32C of a content as Cloud Storage writes it. */
export function crc(content: Buffer): string {
  return encodeCrc32c(crc32c(content));
}
