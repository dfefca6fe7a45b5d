import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { buildArchive } from "../../providers/archive.ts";
import type { ArchiveEntry } from "../../providers/archive-plan.ts";
import { LIGHT_PYTHON } from "../support/light-server.ts";

const GIB = 1024 ** 3;
const MANIFEST = '{"model": {"modelName": "model"}}\n';

/** Reads archives as Python does and prints what it found; a wrong checksum is an error. */
const READ_ALL = `
import hashlib, json, sys, zipfile
found = []
for path in sys.argv[1:]:
    with zipfile.ZipFile(path) as archive:
        found.append([
            [info.filename, info.file_size, hashlib.sha256(archive.read(info)).hexdigest(),
             oct(info.external_attr >> 16), info.date_time[0], info.flag_bits & 8]
            for info in archive.infolist()
        ])
print(json.dumps(found))
`;

/** Checks every entry in pieces, as a reader of a long one does, and prints names and sizes. */
const TEST_LONG = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps([[info.filename, info.file_size] for info in archive.infolist()]))
`;

const project = process.cwd();
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "archive-readers-"));
  process.chdir(root);
});

afterEach(() => {
  process.chdir(project);
  rmSync(root, { recursive: true });
});

function python(script: string, ...args: readonly string[]): unknown {
  const output = execFileSync(LIGHT_PYTHON, ["-c", script, ...args], { maxBuffer: 64 * 1024 ** 2 });
  return JSON.parse(output.toString());
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Writes the files of one archive below a folder of its own. */
function entriesOf(folder: string, files: Readonly<Record<string, Buffer>>): ArchiveEntry[] {
  return Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, content]) => {
      const source = join(folder, path);
      mkdirSync(dirname(source), { recursive: true });
      writeFileSync(source, content);
      return { path, source, size: content.length, sha256: sha256(content) };
    });
}

/** What Python's zipfile is to say of an entry: a regular file, rw-r--r--, of ZIP's first year, sizes ahead of it. */
function expected(name: string, content: Buffer) {
  return [name, content.length, sha256(content), "0o100644", 1980, 0];
}

const FILES = fc.dictionary(
  fc.stringMatching(/^[a-zé日][a-z0-9 .]{0,5}(\/[a-z]{1,3}){0,2}\.(py|json|safetensors|whl)$/),
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.nat({ max: 100_000 }).map((length) => Buffer.alloc(length, "all alike ")),
  ),
  { maxKeys: 8 },
);

describe("an archive, read by others", () => {
  it("is to Python's zipfile what was packed, for any files", async () => {
    const samples = fc.sample(FILES, { numRuns: 60, seed: 20261127 });
    const paths: string[] = [];
    for (const [index, files] of samples.entries()) {
      const entries = entriesOf(`files-${index}`, files);
      const plan = { schema: 1, digest: `d${index}`, manifest: MANIFEST, entries } as const;
      paths.push(await buildArchive(plan, ""));
    }

    const found = python(READ_ALL, ...paths);

    expect(found).toEqual(
      samples.map((files) => [
        expected("MAR-INF/MANIFEST.json", Buffer.from(MANIFEST)),
        ...Object.entries(files)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, content]) => expected(name, content)),
      ]),
    );
  }, 60_000);
});

/** Writes 5 GiB: about a minute. Run with VERTEX_DIFFUSION_LARGE=1. */
const large = process.env["VERTEX_DIFFUSION_LARGE"] ? describe : describe.skip;

large("an archive of 5 GiB", () => {
  it("is whole to Python's zipfile and to unzip, also what comes after the long file", async () => {
    const size = 5 * GIB;
    writeFileSync("model.safetensors", "");
    truncateSync("model.safetensors", size);
    let checksum = 0;
    const zeros = Buffer.alloc(GIB / 8);
    for (let at = 0; at < size; at += zeros.length) checksum = crc32(zeros, checksum);
    const entries = [
      ...entriesOf(".", { "a.py": Buffer.from("x") }),
      { path: "model.safetensors", source: "model.safetensors", size, sha256: "", crc32: checksum },
      ...entriesOf(".", { "z.py": Buffer.from("y = 1\n".repeat(99)) }),
    ];

    const path = await buildArchive({ schema: 1, digest: "d", manifest: MANIFEST, entries }, "");

    expect(python(TEST_LONG, path)).toEqual([
      ["MAR-INF/MANIFEST.json", MANIFEST.length],
      ["a.py", 1],
      ["model.safetensors", size],
      ["z.py", 594],
    ]);
    expect(execFileSync("unzip", ["-tq", path]).toString()).toContain("No errors detected");
  }, 600_000);
});
