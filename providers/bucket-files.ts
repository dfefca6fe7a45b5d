import type { Readable } from "node:stream";

import type { Storage } from "@google-cloud/storage";

import { storageClient } from "./clients.ts";
import { readConnection } from "./connection.ts";
import type { OpenedFile } from "./hub.ts";

/** An object as it was when it was looked at. */
export interface ObjectAddress {
  readonly bucket: string;
  /** Name of the object. */
  readonly object: string;
  /** Changes each time the object is written. */
  readonly generation: string;
}

/** One object below a folder. */
export interface FolderObject extends ObjectAddress {
  /** Path inside the folder. */
  readonly path: string;
  /** Bytes, as they are stored. */
  readonly size: number;
  /** CRC32C that Cloud Storage holds, base64. */
  readonly crc32c: string;
  /** "gzip" for content that is stored compressed. */
  readonly encoding: string | null;
}

/** Objects are read without a project. */
function storage(): Promise<Storage> {
  return storageClient(readConnection(), "unused");
}

/** All objects below a folder of a bucket. "": the whole bucket. */
export async function listBucketFolder(bucket: string, folder: string): Promise<FolderObject[]> {
  const prefix = folder === "" ? "" : `${folder}/`;
  const [files] = await (await storage()).bucket(bucket).getFiles({ prefix });
  return files.map(({ name, metadata }) => ({
    path: name.slice(prefix.length),
    bucket,
    object: name,
    generation: String(metadata.generation),
    size: Number(metadata.size ?? 0),
    crc32c: metadata.crc32c ?? "",
    encoding: metadata.contentEncoding || null,
  }));
}

/**
 * Opens one generation of an object. Asked of Cloud Storage's JSON API by the client's own credentials: its read streams
 * make Node warn of their listeners. Who asks compares checksums.
 */
export async function openObject(
  { bucket, object, generation }: ObjectAddress,
  offset: number,
  signal: AbortSignal,
): Promise<OpenedFile> {
  const { authClient, apiEndpoint } = await storage();
  const path = `b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(object)}`;
  const { status, data } = await authClient.request<Readable>({
    url: `${apiEndpoint}/storage/v1/${path}?alt=media&generation=${generation}`,
    headers: { "Accept-Encoding": "identity", ...(offset > 0 && { Range: `bytes=${offset}-` }) },
    responseType: "stream",
    retry: false,
    signal,
  });
  return { from: status === 206 ? offset : 0, content: data };
}
