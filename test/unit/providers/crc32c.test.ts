import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "@jest/globals";
import { crc32c } from "@node-rs/crc32";
import fc from "fast-check";

import { combineCrc32c, crc32cOfFile, encodeCrc32c } from "../../../providers/crc32c.ts";

describe("CRC32C", () => {
  it.each([
    // RFC 3720, appendix B.4.
    { name: "32 bytes of zeros", bytes: Buffer.alloc(32), checksum: 0x8a9136aa },
    { name: "32 bytes of ones", bytes: Buffer.alloc(32, 0xff), checksum: 0x62a8ab43 },
    {
      name: "32 incrementing bytes",
      bytes: Buffer.from(Array.from({ length: 32 }, (_, index) => index)),
      checksum: 0x46dd794e,
    },
  ])("of $name is that of the standard", ({ bytes, checksum }) => {
    expect(crc32c(bytes)).toBe(checksum);
  });

  it("is written as Cloud Storage does", () => {
    // From Cloud Storage's reference: the object "hello world".
    expect(encodeCrc32c(crc32c(Buffer.from("hello world")))).toBe("yZRlqg==");
    expect(encodeCrc32c(0)).toBe("AAAAAA==");
  });

  it("of two pieces combines to that of the whole", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(400), (bytes, at) => {
        const [first, second] = [bytes.subarray(0, at), bytes.subarray(at)];

        const combined = combineCrc32c(crc32c(first), crc32c(second), second.length);

        expect(combined).toBe(crc32c(bytes));
      }),
    );
  });

  it("of a piece of more than 4 GiB combines as that of its halves", () => {
    const half = combineCrc32c(1, 0, 2 ** 32);

    expect(combineCrc32c(1, 0, 2 ** 33)).toBe(combineCrc32c(half, 0, 2 ** 32));
  });

  it.each([
    { start: 0, end: 0 },
    { start: 0, end: 1 },
    { start: 5, end: 1_000_000 },
    { start: 999_999, end: 1_000_000 },
  ])("of a file's bytes from $start to $end is that of the bytes", async ({ start, end }) => {
    const folder = mkdtempSync(join(tmpdir(), "crc32c-"));
    const bytes = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index % 251));
    writeFileSync(join(folder, "file"), bytes);

    const checksum = await crc32cOfFile(join(folder, "file"), start, end);

    rmSync(folder, { recursive: true });
    expect(checksum).toBe(crc32c(bytes.subarray(start, end)));
  });
});
