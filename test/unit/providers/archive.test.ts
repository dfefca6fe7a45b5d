import { createHash } from "node:crypto";
import {
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
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { buildArchive, readPlan } from "../../../providers/archive.ts";
import type { ArchivePlan } from "../../../providers/archive.ts";
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
    const wanted = plan({ "handler.py": "x = 1\n", "model.bin": Buffer.alloc(LONG_BYTES, 7) });
    const first = sha256Of(await buildArchive(wanted, ""));

    rmSync(".local", { recursive: true });
    utimesSync("handler.py", new Date(0), new Date(0));
    const second = sha256Of(await buildArchive(wanted, ""));

    expect(second).toBe(first);
  });

  it("stores short files with their size ahead, which TorchServe's stream reader needs", async () => {
    const path = await buildArchive(plan({ "handler.py": "x = 1\n" }), "");

    const entry = localHeaderOf(readFileSync(path), "handler.py");

    expect(entry).toEqual({ method: 0, sizeFollows: false, size: 6 });
  });

  it("wraps long files in deflate's uncompressed blocks", async () => {
    const content = Buffer.alloc(LONG_BYTES, 7);

    const path = await buildArchive(plan({ "model.bin": content }), "");

    const { method } = localHeaderOf(readFileSync(path), "model.bin");
    expect(method).toBe(8);
    expect(readFileSync(path).length).toBeGreaterThan(content.length);
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
    { case: "changed", change: () => writeFileSync("model.bin", Buffer.alloc(LONG_BYTES, 8)) },
    { case: "gone", change: () => rmSync("model.bin") },
  ])("stops at a long file that is $case and names it", async ({ change }) => {
    const wanted = plan({ "model.bin": Buffer.alloc(LONG_BYTES, 7) });
    change();

    const built = buildArchive(wanted, "");

    await expect(built).rejects.toThrow(
      `Could not build the model archive: "model.bin" is not the file that this run started with (`,
    );
    expect(readdirSync(".local/archives")).toEqual([]);
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
