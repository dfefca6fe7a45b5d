import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { FileHashes } from "../../../components/file-hashes.ts";

const MIB = 1024 * 1024;
/** Longer than the time in which a file counts as just changed. */
const LATER_MS = 3_000;

let root: string;
let kept: string;
let file: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "file-hashes-"));
  kept = join(root, "kept/hashes.json");
  file = join(root, "model.safetensors");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function hashOf(content: Buffer) {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { size: content.length, sha256, crc32: crc32(content) };
}

/** Hashes the file as a run of its own would, by default some seconds after the file was written. */
function run(afterMs = LATER_MS) {
  const hashes = new FileHashes(kept, () => Date.now() + afterMs);
  const hash = hashes.hashOf(file);
  hashes.save();
  return hash;
}

/** Makes what was kept about the file's content wrong: an answer that shows it was not read. */
function spoilKept(): void {
  const text = readFileSync(kept, "utf8");
  writeFileSync(kept, text.replace(/"sha256":"[0-9a-f]+"/, '"sha256":"kept"'));
}

describe("FileHashes", () => {
  it("answers size, SHA-256 and CRC-32 of a file of several pieces", () => {
    const content = Buffer.alloc(9 * MIB, "0123456");
    writeFileSync(file, content);

    expect(run()).toEqual(hashOf(content));
  });

  it("does not read a file again that is as it was", () => {
    writeFileSync(file, Buffer.alloc(MIB, 1));
    run();
    spoilKept();

    expect(run().sha256).toBe("kept");
  });

  it("reads a file again that another of the same size and time took the place of", () => {
    const other = Buffer.alloc(MIB, 2);
    writeFileSync(file, Buffer.alloc(MIB, 1));
    run();
    const { atime, mtime } = statSync(file);
    writeFileSync(`${file}.new`, other);
    utimesSync(`${file}.new`, atime, mtime);
    renameSync(`${file}.new`, file);

    expect(run()).toEqual(hashOf(other));
  });

  it("reads a file again that was written to and given its old time back", () => {
    const other = Buffer.alloc(MIB, 2);
    writeFileSync(file, Buffer.alloc(MIB, 1));
    run();
    const { atime, mtime } = statSync(file);
    writeFileSync(file, other);
    utimesSync(file, atime, mtime);

    expect(run()).toEqual(hashOf(other));
  });

  it("remembers no file that was changed just before: it may change again within the same tick", () => {
    writeFileSync(file, Buffer.alloc(MIB, 1));

    run(0);

    expect(existsSync(kept)).toBe(false);
  });

  it("remembers no short file", () => {
    writeFileSync(file, "short");

    run();

    expect(existsSync(kept)).toBe(false);
  });

  it.each(["not JSON", '{"schema": 2, "files": {}}', '{"schema": 1}'])(
    "takes what it can't understand (%s) for nothing",
    (text) => {
      const content = Buffer.alloc(MIB, 1);
      writeFileSync(file, content);
      run();
      writeFileSync(kept, text);

      expect(run()).toEqual(hashOf(content));
    },
  );
});
