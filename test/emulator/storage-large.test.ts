import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import { crc32c, encodeCrc32c } from "../../emulator/storage/crc32c.ts";
import { type EmulatorProcess, startEmulatorProcess } from "../support/emulator-process.ts";
import { makeFolder } from "../support/storage-server.ts";

const MIB = 1024 * 1024;
/** One byte more than 32 bits can count. */
const SIZE = 4096 * MIB + 1;
const PART = 512 * MIB;
const MAX_MEMORY_MIB = 400;
const TIMEOUT_MS = 30 * 60_000;

/** Takes 12 GiB of disk and minutes: only where it is asked for. */
const large = process.env["VERTEX_DIFFUSION_LARGE"] ? describe : describe.skip;

/** The bytes [start, end) of the content: every MiB of it is another one. */
function* contentOf(start: number, end: number): Generator<Buffer> {
  const block = createHash("shake256", { outputLength: MIB }).update("content").digest();
  for (let at = start; at < end;) {
    const number = Math.floor(at / MIB);
    block.writeUInt32BE(number, 0);
    const from = at - number * MIB;
    const to = Math.min(MIB, end - number * MIB);
    yield Buffer.from(block.subarray(from, to));
    at += to - from;
  }
}

function crcOf(chunks: Iterable<Buffer>): string {
  let crc = 0;
  for (const chunk of chunks) crc = crc32c(chunk, crc);
  return encodeCrc32c(crc);
}

large("objects of 4 GiB and a byte", () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let emulator: EmulatorProcess;
  let expected: string;

  beforeAll(async () => {
    folder = await makeFolder();
    emulator = await startEmulatorProcess(join(folder.path, "state"));
    expected = crcOf(contentOf(0, SIZE));
    await send("POST", "/storage/v1/b?project=p", Buffer.from('{"name":"large"}'));
  }, TIMEOUT_MS);

  afterAll(async () => {
    await emulator.stop("SIGTERM");
    await folder.remove();
  });

  async function send(
    method: string,
    path: string,
    body: Buffer | { start: number; end: number } | undefined,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
    const isRange = body !== undefined && "start" in body;
    const length = isRange ? body.end - body.start : (body?.length ?? 0);
    const outgoing = request(emulator.address.rest + path, {
      method,
      headers: { ...headers, "content-length": length },
    });
    const answered = new Promise<{
      status: number;
      headers: Record<string, unknown>;
      text: string;
    }>((resolve, reject) => {
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        let text = "";
        incoming.on("data", (chunk: Buffer) => (text += chunk.toString()));
        incoming.once("end", () =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
        );
      });
    });
    const content = isRange ? contentOf(body.start, body.end) : [body ?? Buffer.alloc(0)];
    await pipeline(Readable.from(content), outgoing);
    return answered;
  }

  async function download(name: string): Promise<{ size: number; crc: string }> {
    let crc = 0;
    let size = 0;
    await new Promise<void>((resolve, reject) => {
      request(`${emulator.address.rest}/storage/v1/b/large/o/${name}?alt=media`, (incoming) => {
        incoming.on("data", (chunk: Buffer) => {
          crc = crc32c(chunk, crc);
          size += chunk.length;
        });
        incoming.once("end", resolve);
        incoming.once("error", reject);
      })
        .once("error", reject)
        .end();
    });
    return { size, crc: encodeCrc32c(crc) };
  }

  /** Most memory that the emulator has had, MiB. */
  async function peakMemory(): Promise<number> {
    const status = await readFile(`/proc/${emulator.address.pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  }

  async function expectWhole(name: string): Promise<void> {
    const { text } = await send("GET", `/storage/v1/b/large/o/${name}`, undefined);
    expect(JSON.parse(text)).toMatchObject({ size: String(SIZE), crc32c: expected });
    expect(await download(name)).toEqual({ size: SIZE, crc: expected });
    expect(await peakMemory()).toBeLessThan(MAX_MEMORY_MIB);
    await send("DELETE", `/storage/v1/b/large/o/${name}`, undefined);
  }

  it(
    "go up in one request and down in constant memory",
    async () => {
      const path = "/upload/storage/v1/b/large/o?uploadType=media&name=simple";

      const { status } = await send("POST", path, { start: 0, end: SIZE });

      expect(status).toBe(200);
      await expectWhole("simple");
    },
    TIMEOUT_MS,
  );

  it(
    "go up in resumable chunks and down in constant memory",
    async () => {
      const path = "/upload/storage/v1/b/large/o?uploadType=resumable&name=resumable";
      const begun = await send("POST", path, undefined);
      const uri = new URL(String(begun.headers["location"]));

      const statuses: number[] = [];
      for (let start = 0; start < SIZE; start += PART) {
        const end = Math.min(SIZE, start + PART);
        const headers = { "content-range": `bytes ${start}-${end - 1}/${SIZE}` };
        const chunk = { start, end };
        statuses.push((await send("PUT", uri.pathname + uri.search, chunk, headers)).status);
      }

      expect(statuses).toEqual([308, 308, 308, 308, 308, 308, 308, 308, 200]);
      await expectWhole("resumable");
    },
    TIMEOUT_MS,
  );

  it(
    "go up in XML parts and down in constant memory",
    async () => {
      const begun = await send("POST", "/large/parts?uploads", undefined);
      const id = /<UploadId>(.*)<\/UploadId>/.exec(begun.text)?.[1];

      let listed = "";
      for (let start = 0, number = 1; start < SIZE; start += PART, number++) {
        const part = { start, end: Math.min(SIZE, start + PART) };
        const path = `/large/parts?partNumber=${number}&uploadId=${id}`;
        const { headers } = await send("PUT", path, part);
        listed += `<Part><PartNumber>${number}</PartNumber><ETag>${String(headers["etag"])}</ETag></Part>`;
      }
      const body = `<CompleteMultipartUpload>${listed}</CompleteMultipartUpload>`;
      const { status } = await send("POST", `/large/parts?uploadId=${id}`, Buffer.from(body));

      expect(status).toBe(200);
      await expectWhole("parts");
    },
    TIMEOUT_MS,
  );
});
