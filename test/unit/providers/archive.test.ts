import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { buildArchive } from "../../../providers/archive.ts";
import { readPlan } from "../../../providers/archive-plan.ts";
import type { ArchivePlan } from "../../../providers/archive-plan.ts";
import { ReconcileError } from "../../../providers/errors.ts";

const PROJECT = process.cwd();
const LONG_BYTES = 17 * 1024 * 1024;

/** In a folder of its own, because archives are built below the current one. */
describe("buildArchive", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "archive-"));
    process.chdir(root);
  });

  afterEach(() => {
    process.chdir(PROJECT);
    rmSync(root, { recursive: true });
  });

  /** Writes the files and plans an archive of them. */
  function plan(files: Readonly<Record<string, string | Buffer>>): ArchivePlan {
    const entries = Object.entries(files).map(([source, content]) => {
      mkdirSync(dirname(source), { recursive: true });
      writeFileSync(source, content);
      const sha256 = createHash("sha256").update(content).digest("hex");
      return { path: source, source, size: Buffer.byteLength(content), sha256 };
    });
    return { schema: 1, digest: "d1", manifest: "{}\n", entries };
  }

  function sha256Of(path: string): string {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  }

  it("makes the same bytes of the same plan, whenever and from wherever it is built", async () => {
    const wanted = plan({
      "handler.py": "x = 1\n".repeat(20),
      "model.safetensors": Buffer.alloc(LONG_BYTES, 7),
    });
    const first = sha256Of(await buildArchive(wanted, ""));

    rmSync(".local", { recursive: true });
    utimesSync("handler.py", new Date(0), new Date(0));
    chmodSync("handler.py", 0o600);
    const second = sha256Of(await buildArchive(wanted, ""));

    expect(second).toBe(first);
  });

  it("makes these bytes, on every machine", async () => {
    const wanted = plan({
      "handler.py": "x = 1\n".repeat(20),
      "model.safetensors": Buffer.alloc(LONG_BYTES, 7),
      "weights/größe.json": "{}",
    });

    const path = await buildArchive(wanted, "");

    expect(sha256Of(path)).toBe("ab703d7c2687e0cacfe40c57cd4d710564d5155839d58659252f45049cefc7d5");
  });

  it.each([
    { name: "handler.py", content: "x = 1\n".repeat(20), method: 8, why: "text is deflated" },
    { name: "a.py", content: "x", method: 0, why: "what deflate makes longer is stored" },
    { name: "model.safetensors", content: "0".repeat(99), method: 0, why: "weights are stored" },
    { name: "a-1-py3-none-any.whl", content: "0".repeat(99), method: 0, why: "wheels are stored" },
    { name: "empty.py", content: "", method: 0, why: "nothing is stored" },
    {
      name: "long.json",
      content: Buffer.alloc(LONG_BYTES, 7),
      method: 0,
      why: "what is too long to be read whole is stored",
    },
  ])("has the sizes of $name ahead of it: $why", async ({ name, content, method }) => {
    const path = await buildArchive(plan({ [name]: content }), "");

    expect(localHeaderOf(readFileSync(path), name)).toMatchObject({
      method,
      sizeFollows: false,
      size: content.length,
    });
  });

  it("builds an archive that lies there already only once", async () => {
    const wanted = plan({ "handler.py": "x = 1\n" });
    const path = await buildArchive(wanted, "");

    rmSync("handler.py");

    expect(await buildArchive(wanted, "")).toBe(path);
  });

  it.each([
    {
      case: "changed",
      change: () => writeFileSync("handler.py", "x = 2\n"),
      why: "its content differs",
    },
    { case: "gone", change: () => rmSync("handler.py"), why: "ENOENT" },
  ])(
    "stops at a file that is $case, names it and leaves no half archive",
    async ({ change, why }) => {
      const wanted = plan({ "handler.py": "x = 1\n" });
      change();

      const built = buildArchive(wanted, "");

      await expect(built).rejects.toThrow(ReconcileError);
      await expect(built).rejects.toThrow(
        `Could not build the model archive: "handler.py" is not the file that this run started with (${why}`,
      );
      expect(readdirSync(".local/archives")).toEqual([]);
    },
  );

  it.each([
    {
      case: "changed",
      change: () => writeFileSync("model.safetensors", Buffer.alloc(LONG_BYTES, 8)),
    },
    { case: "gone", change: () => rmSync("model.safetensors") },
  ])("stops at a long file that is $case and names it", async ({ change }) => {
    const wanted = plan({ "model.safetensors": Buffer.alloc(LONG_BYTES, 7) });
    change();

    const built = buildArchive(wanted, "");

    await expect(built).rejects.toThrow(
      `Could not build the model archive: "model.safetensors" is not the file that this run started with (`,
    );
    expect(readdirSync(".local/archives")).toEqual([]);
  });

  it("takes a long file by the checksum that was read with its SHA-256, and stops where it is another", async () => {
    const wanted = plan({ "model.safetensors": Buffer.alloc(LONG_BYTES, 7) });
    const [entry] = wanted.entries;
    const known = (crc32: number): ArchivePlan => ({ ...wanted, entries: [{ ...entry!, crc32 }] });

    const built = buildArchive(known(crc32(Buffer.alloc(LONG_BYTES, 8))), "");

    await expect(built).rejects.toThrow(
      `"model.safetensors" is not the file that this run started with (its content differs)`,
    );
    expect(readdirSync(".local/archives")).toEqual([]);
    const path = await buildArchive(known(crc32(Buffer.alloc(LONG_BYTES, 7))), "");
    expect(localHeaderOf(readFileSync(path), "model.safetensors").size).toBe(LONG_BYTES);
  });

  it("says what it takes before it writes, where the disk has less", async () => {
    const wanted = plan({ "model.safetensors": Buffer.alloc(LONG_BYTES, 7) });

    const built = buildArchive(wanted, "", async () => 16_000_000);

    await expect(built).rejects.toThrow(
      `Could not build the model archive: it takes 17.8 MB in ".local/archives", and 16.0 MB are free there. Make room and run "up" again.`,
    );
    expect(readdirSync(".local/archives")).toEqual([]);
  });

  it("removes an archive that was not sent for a week, and keeps a younger one", async () => {
    mkdirSync(".local/archives", { recursive: true });
    for (const [name, days] of [
      ["d2.mar", 8],
      ["d3.mar", 6],
    ] as const) {
      writeFileSync(`.local/archives/${name}`, "whole");
      const then = new Date(Date.now() - days * 24 * 3_600_000);
      utimesSync(`.local/archives/${name}`, then, then);
    }

    await buildArchive(plan({ "handler.py": "x = 1\n" }), "");

    expect(readdirSync(".local/archives").sort()).toEqual(["d1.mar", "d3.mar"]);
  });

  it("removes what a killed build left, and nothing that another one is writing", async () => {
    const dead = spawnSync(process.execPath, ["--version"]).pid;
    mkdirSync(".local/archives", { recursive: true });
    writeFileSync(`.local/archives/d0.mar.${dead}.part`, "half");
    writeFileSync(`.local/archives/d0.mar.${process.ppid}.part`, "half");

    await buildArchive(plan({ "handler.py": "x = 1\n" }), "");

    expect(readdirSync(".local/archives").sort()).toEqual([
      `d0.mar.${process.ppid}.part`,
      "d1.mar",
    ]);
  });

  it("names a plan that is missing and how it comes to be", async () => {
    mkdirSync(".local/plans", { recursive: true });

    const read = readPlan(".local/plans/none.json");

    await expect(read).rejects.toThrow(
      `Could not build the model archive: its plan ".local/plans/none.json" can't be read (ENOENT`,
    );
    await expect(read).rejects.toThrow(`Run "up" from the project's folder; it writes the plan.`);
    expect(existsSync(".local/archives")).toBe(false);
  });
});

/** Method, whether sizes come after the content, and size, from a ZIP local file header. */
function localHeaderOf(zip: Buffer, name: string) {
  const at = zip.indexOf(name) - 30;
  return {
    method: zip.readUInt16LE(at + 8),
    sizeFollows: (zip.readUInt16LE(at + 6) & 8) !== 0,
    size: zip.readUInt32LE(at + 22),
  };
}
