import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import { parsePackagesLock } from "../../components/packages-lock.ts";
import { lockPackages } from "../../scripts/lock/packages.ts";
import { cacheFolder } from "../../scripts/toolchain/cache.ts";
import { ensureUv, findBasePython } from "../../scripts/toolchain/pypi.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import { makeWheel, startPackageIndex } from "../support/package-index.ts";
import type { TestIndex } from "../support/package-index.ts";

/** A small world of packages: a handler's, the image's, and what each of them needs. */
const RELEASED = {
  pipes: {
    "pipes-1.0-py3-none-any.whl": makeWheel("pipes", "1.0", {
      requires: ["numpy", "shared-bits", "fast>=2"],
    }),
  },
  "shared-bits": {
    "shared_bits-1.0-py3-none-any.whl": makeWheel("shared-bits", "1.0"),
    "shared_bits-2.0-py3-none-any.whl": makeWheel("shared-bits", "2.0", {
      requiresPython: ">=3.11",
    }),
  },
  fast: Object.fromEntries(
    ["cp39", "cp310", "cp311"].map((tag) => [
      `fast-2.1-${tag}-${tag}-manylinux2014_x86_64.whl`,
      makeWheel("fast", "2.1", { files: { "fast.py": tag } }),
    ]),
  ),
  numpy: { "numpy-1.26.4-py3-none-any.whl": makeWheel("numpy", "1.26.4") },
  torch: {
    "torch-2.4.1-py3-none-any.whl": makeWheel("torch", "2.4.1", { requires: ["sums"] }),
  },
  sums: { "sums-1.0-py3-none-any.whl": makeWheel("sums", "1.0") },
} satisfies Record<string, Record<string, Buffer>>;

/** A release that comes after the first lock. */
const LATER = { "pipes-1.1-py3-none-any.whl": makeWheel("pipes", "1.1", { requires: ["fast"] }) };

/** The same world in which the package of one Python was never built. */
const UNFINISHED = {
  ...RELEASED,
  fast: { "fast-2.1-cp311-cp311-manylinux2014_x86_64.whl": makeWheel("fast", "2.1") },
};

describe("lockPackages with the pinned uv and an index on this machine", () => {
  let uv: string;
  let root: string;
  let index: TestIndex;
  let before: NodeJS.ProcessEnv;

  beforeAll(async () => {
    before = { ...process.env };
    uv = await ensureUv(cacheFolder(), await findBasePython(), silentReport);
  });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "lock-packages-"));
    const cache = join(root, "cache/vertex-diffusion");
    mkdirSync(cache, { recursive: true });
    symlinkSync(dirname(uv), join(cache, basename(dirname(uv))));
    process.env["XDG_CACHE_HOME"] = join(root, "cache");
    process.env["UV_CACHE_DIR"] = join(root, "uv");
    mkdirSync(join(root, "handler"));
    writeFileSync(join(root, "handler/requirements.in"), "torch==2.4.1\nnumpy<2\npipes\n");
  });

  afterEach(async () => {
    await index?.stop();
    rmSync(root, { recursive: true });
  });

  afterAll(() => {
    process.env = before;
  });

  async function release(
    projects: Parameters<typeof startPackageIndex>[0] = RELEASED,
  ): Promise<void> {
    await index?.stop();
    index = await startPackageIndex(projects);
    process.env["UV_DEFAULT_INDEX"] = index.url;
  }

  async function lock(upgrade = false) {
    return lockPackages({ root, handler: "handler", upgrade }, silentReport);
  }

  function readLock(): string {
    return readFileSync(join(root, "handler/packages.lock"), "utf8");
  }

  function releases(): string[] {
    return (parsePackagesLock(readLock())?.wheels ?? []).map(
      ({ name, version, pythons }) => `${name} ${version} for ${pythons.join(" ")}`,
    );
  }

  it("locks pure wheels once and the others for each Python, of versions that suit all, without the image's", async () => {
    await release();

    const { summary } = await lock();

    expect(releases()).toEqual([
      "fast 2.1 for 3.10",
      "fast 2.1 for 3.11",
      "fast 2.1 for 3.9",
      "pipes 1.0 for 3.9 3.10 3.11",
      "shared-bits 1.0 for 3.9 3.10 3.11",
    ]);
    expect(summary).toMatch(/^3 packages in 5 wheels, .* for Python 3.9, 3.10, 3.11$/);
  });

  it("writes the same file again, and keeps its versions until it is told to upgrade", async () => {
    await release();
    await lock();
    const first = readLock();
    await release({ ...RELEASED, pipes: { ...RELEASED.pipes, ...LATER } });

    const again = await lock();

    expect(again.changed).toBe(false);
    expect(readLock()).toBe(first);

    const upgraded = await lock(true);

    expect(upgraded.changed).toBe(true);
    expect(releases()).toContain("pipes 1.1 for 3.9 3.10 3.11");
  });

  it("refuses what has no wheel for one of the Pythons, and leaves the lock alone", async () => {
    await release();
    await lock();
    const first = readLock();
    await release(UNFINISHED);

    const failed = lock(true);

    await expect(failed).rejects.toThrow(/Could not resolve .* for Python 3.9:/);
    expect(readLock()).toBe(first);
  });

  it("refuses requirements that lie elsewhere, where a preview would not see them change", async () => {
    writeFileSync(join(root, "handler/requirements.in"), "pipes\n-r more.txt\n");

    await expect(lock()).rejects.toThrow(
      `Could not lock the packages of "handler": its requirements.in has "-r more.txt", and`,
    );
  });

  it("has nothing to do for a handler without requirements", async () => {
    rmSync(join(root, "handler/requirements.in"));

    expect(await lock()).toEqual({
      lock: "handler/packages.lock",
      changed: false,
      summary: "no requirements.in, so the archive brings no packages",
    });
  });

  it("refuses a lock whose requirements are gone", async () => {
    rmSync(join(root, "handler/requirements.in"));
    writeFileSync(join(root, "handler/packages.lock"), "{}");

    await expect(lock()).rejects.toThrow(
      `Could not lock the packages of "handler": it has no requirements.in beside its packages.lock. Write one, or delete the lock.`,
    );
  });
});
