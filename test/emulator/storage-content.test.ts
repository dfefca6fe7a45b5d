import { randomBytes } from "node:crypto";

import { CRC32C } from "@google-cloud/storage";
import { describe, expect, it } from "@jest/globals";

import { parseContentRange, parseRange } from "../../emulator/storage/content-range.ts";
import { combineCrc32c, crc32c, encodeCrc32c } from "../../emulator/storage/crc32c.ts";
import { boundaryOf, MultipartReader } from "../../emulator/storage/multipart-related.ts";

describe("crc32c", () => {
  it.each([
    // RFC 3720, appendix B.4, and the catalogue's check value.
    { text: "32 zeros", bytes: Buffer.alloc(32), expected: 0x8a9136aa },
    { text: "32 ones", bytes: Buffer.alloc(32, 0xff), expected: 0x62a8ab43 },
    { text: "123456789", bytes: Buffer.from("123456789"), expected: 0xe3069283 },
    { text: "nothing", bytes: Buffer.alloc(0), expected: 0 },
  ])("of $text is the published one", ({ bytes, expected }) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it("of pieces is that of the whole, and that of Google's client", () => {
    const bytes = randomBytes(10_007);
    const google = new CRC32C();
    google.update(bytes);

    const pieces = [bytes.subarray(0, 1), bytes.subarray(1, 14), bytes.subarray(14)];
    const crc = pieces.reduce((previous, piece) => crc32c(piece, previous), 0);

    expect(encodeCrc32c(crc)).toBe(google.toString());
  });
});

describe("combineCrc32c", () => {
  it.each([0, 1, 7, 4096, 100_003])(
    "of two contents, the second of %i bytes, is that of the whole",
    (size) => {
      const first = randomBytes(1000);
      const second = randomBytes(size);

      expect(combineCrc32c(crc32c(first), crc32c(second), size)).toBe(
        crc32c(Buffer.concat([first, second])),
      );
    },
  );

  it("counts lengths beyond 32 bits", () => {
    const half = combineCrc32c(1, 0, 2 ** 32);

    expect(combineCrc32c(1, 0, 2 ** 33)).toBe(combineCrc32c(half, 0, 2 ** 32));
    expect(combineCrc32c(1, 0, 2 ** 32 + 1)).toBe(combineCrc32c(half, 0, 1));
  });
});

describe("MultipartReader", () => {
  async function* inPieces(body: Buffer, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
  }

  async function readAll(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  const media = Buffer.concat([
    Buffer.from("--\r\n--b"),
    Buffer.from("\r\n--a\r\n"),
    Buffer.from([0, 13, 10]),
  ]);
  const body = Buffer.concat([
    Buffer.from("preamble\r\n--bound\r\nContent-Type: application/json\r\n\r\n{}\r\n--bound\r\n"),
    Buffer.from("content-type: a/b\r\ncontent-transfer-encoding: binary\r\n\r\n"),
    media,
    Buffer.from("\r\n--bound--\r\nepilogue"),
  ]);

  it.each([1, 2, 3, 7, 64, 1000])("finds both parts in chunks of %i bytes", async (size) => {
    const reader = new MultipartReader(inPieces(body, size), "bound");

    const first = await reader.first();
    const json = await readAll(first.body);
    const second = await reader.next();
    const content = await readAll(second.body);
    await reader.drain();

    expect([first.contentType, json.toString()]).toEqual(["application/json", "{}"]);
    expect([second.contentType, content]).toEqual(["a/b", media]);
  });

  it.each([
    { type: 'multipart/related; boundary="===a=="', boundary: "===a==" },
    { type: "multipart/related; boundary=abc; type=x", boundary: "abc" },
    { type: "multipart/related; type=x; Boundary=abc", boundary: "abc" },
  ])("reads the boundary of $type", ({ type, boundary }) => {
    expect(boundaryOf(type)).toBe(boundary);
  });
});

describe("Content-Range and Range headers", () => {
  it.each([
    { header: undefined, range: { kind: "bytes", start: 0 } },
    { header: "bytes */*", range: { kind: "query" } },
    { header: "bytes */9", range: { kind: "query", total: 9 } },
    { header: "bytes 0-8/9", range: { kind: "bytes", start: 0, last: 8, total: 9 } },
    { header: "bytes 5-*/*", range: { kind: "bytes", start: 5 } },
    { header: "bytes 5-*/9", range: { kind: "bytes", start: 5, total: 9 } },
    { header: "bytes 0-8/*", range: { kind: "bytes", start: 0, last: 8 } },
  ])("reads $header", ({ header, range }) => {
    expect(parseContentRange(header)).toEqual(range);
  });

  it.each(["bytes 8-0/9", "bytes 0-9/9", "bytes 0-8", "items 0-8/9", ""])(
    "refuses %p",
    (header) => {
      expect(() => parseContentRange(header)).toThrow(expect.objectContaining({ httpStatus: 400 }));
    },
  );

  it.each([
    { header: "bytes=0-", size: 0, expected: "unsatisfiable" },
    { header: "bytes=-0", size: 5, expected: "unsatisfiable" },
    { header: "bytes=-9", size: 5, expected: { start: 0, end: 5 } },
    { header: "bytes=0-0,2-3", size: 5, expected: null },
    { header: undefined, size: 5, expected: null },
  ])("takes Range $header of $size bytes as $expected", ({ header, size, expected }) => {
    expect(parseRange(header, size)).toEqual(expected);
  });
});
