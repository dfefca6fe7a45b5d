import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

import type { File } from "@google-cloud/storage";

import { cancelled } from "./engine.ts";

/** Bytes of a file from `start` up to but without `end`. */
export interface FileRange {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** Hears of the bytes in their order as they go; they stay as they are only until it returns. */
  readonly onBlock: (block: Buffer) => void;
}

/** How a caller names itself to Google, as Google's own clients for Node do. */
const API_CLIENT = `gl-node/${process.versions.node} vertex-diffusion`;

const BLOCK_BYTES = 512 * 1024;
/** A connection on which nothing has moved for so long is given up. */
const IDLE_MS = 120_000;
/** What is read of an answer; that of an object has some kilobytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;

const httpAgent = new HttpAgent({ keepAlive: true });
const httpsAgent = new HttpsAgent({ keepAlive: true, proxyEnv: process.env });

/**
 * Makes an object of a file's bytes in one request of the JSON API (a multipart upload) and answers its resource. As the
 * client's own `createWriteStream({ resumable: false })`, with its endpoint and its credentials, but with the file's blocks
 * written straight to the connection: that takes a third of the processor's time.
 */
export async function postObject(
  { bucket, name, storage }: File,
  resource: { readonly contentType: string; readonly [field: string]: unknown },
  ifGenerationMatch: number,
  range: FileRange,
): Promise<File["metadata"]> {
  const url = new URL(`${storage.apiEndpoint}/upload/storage/v1/b/${bucket.name}/o`);
  url.searchParams.set("uploadType", "multipart");
  url.searchParams.set("name", name);
  url.searchParams.set("ifGenerationMatch", String(ifGenerationMatch));
  const boundary = randomUUID();
  const part = (type: string): string => `--${boundary}\r\nContent-Type: ${type}\r\n\r\n`;
  const head = Buffer.from(
    `${part("application/json; charset=utf-8")}${JSON.stringify(resource)}\r\n${part(resource.contentType)}`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--`);
  const authorization = await storage.authClient.getRequestHeaders(url.href);
  const isHttps = url.protocol === "https:";
  const request = (isHttps ? httpsRequest : httpRequest)(url, {
    method: "POST",
    headers: {
      ...Object.fromEntries(authorization),
      "x-goog-api-client": API_CLIENT,
      "content-type": `multipart/related; boundary=${boundary}`,
      "content-length": head.length + range.end - range.start + tail.length,
    },
    agent: isHttps ? httpsAgent : httpAgent,
    signal: cancelled,
  });
  const answer = await exchange(request, async () => {
    await write(request, head);
    await writeRange(request, range);
    await write(request, tail);
  });
  return JSON.parse(answer) as File["metadata"];
}

/** Sends the body and answers that of the response; throws what a refusal says, with the HTTP status as its code. */
async function exchange(request: ClientRequest, send: () => Promise<void>): Promise<string> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject);
    request.setTimeout(IDLE_MS, () => {
      request.destroy(Object.assign(new Error("the connection is dead"), { code: "ETIMEDOUT" }));
    });
  });
  try {
    // A refusal may come before the end of the body, which is then not sent.
    const sent = send().then(() => {
      request.end();
      return answered;
    });
    const response = await Promise.race([answered, sent]);
    const text = await readAnswer(response);
    if (response.statusCode === 200) return text;
    throw Object.assign(new Error(wordsOf(text) ?? response.statusMessage), {
      code: response.statusCode,
    });
  } catch (error) {
    request.destroy();
    throw error;
  }
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error("the answer is too long to be Cloud Storage's");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The message of Google's error document; undefined for anything else. */
function wordsOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: { message?: string } }).error?.message;
  } catch {
    return undefined;
  }
}

/** Writes the range; two blocks take turns, so that one is read while the other goes. */
async function writeRange(
  request: ClientRequest,
  { path, start, end, onBlock }: FileRange,
): Promise<void> {
  const file = await open(path, "r");
  try {
    const length = Math.min(BLOCK_BYTES, end - start);
    const blocks = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)];
    let before = Promise.resolve();
    for (let at = start, turn = 0; at < end; turn = 1 - turn) {
      const block = blocks[turn] as Buffer;
      const { bytesRead } = await file.read(block, 0, Math.min(length, end - at), at);
      if (bytesRead === 0) throw new Error(`"${path}" has become shorter while it was sent`);
      await before;
      const sent = block.subarray(0, bytesRead);
      before = write(request, sent);
      // Whoever waits for it sees the failure; until then it must not count as unhandled.
      before.catch(() => undefined);
      at += bytesRead;
      onBlock(sent);
    }
    await before;
  } finally {
    await file.close();
  }
}

/** Resolves when the bytes have gone: then their memory may be used again. */
function write(request: ClientRequest, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    request.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
