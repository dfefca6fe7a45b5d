import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { cacheFolder, cacheKey, ensure } from "../../scripts/toolchain/cache.ts";
import { isStale, STALE_AFTER_MS } from "../../scripts/toolchain/lock.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "toolchain-cache-"));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const writeFruit = (folder: string): Promise<void> => writeFile(join(folder, "fruit"), "apple");

describe("cacheFolder", () => {
  it.each([
    { title: "is in XDG_CACHE_HOME", xdg: "/caches", folder: "/caches/vertex-diffusion" },
    { title: "is in ~/.cache when that is unset", folder: "/home/me/.cache/vertex-diffusion" },
    {
      title: "is in ~/.cache when that is relative",
      xdg: "caches",
      folder: "/home/me/.cache/vertex-diffusion",
    },
  ])("$title", ({ xdg, folder }) => {
    expect(cacheFolder({ XDG_CACHE_HOME: xdg }, "/home/me")).toBe(folder);
  });
});

describe("cacheKey", () => {
  it("changes with the content of a part", () => {
    expect(cacheKey("pulumi", { lock: "a" })).not.toBe(cacheKey("pulumi", { lock: "b" }));
  });

  it("changes when text moves from one part to another", () => {
    expect(cacheKey("x", { a: "12", b: "3" })).not.toBe(cacheKey("x", { a: "1", b: "23" }));
  });

  it("is the same whatever the order of the parts", () => {
    expect(cacheKey("x", { a: "1", b: "2" })).toBe(cacheKey("x", { b: "2", a: "1" }));
  });
});

describe("ensure", () => {
  it("keeps what was built and does not build it again", async () => {
    let builds = 0;
    const build = async (folder: string): Promise<void> => {
      builds += 1;
      await writeFruit(folder);
    };

    const first = await ensure(root, "fruit-1", { build });
    const second = await ensure(root, "fruit-1", { build });

    expect(second).toBe(first);
    expect(builds).toBe(1);
    expect(await readFile(join(first, "fruit"), "utf8")).toBe("apple");
  });

  it("builds once for two who ask at the same time, and tells the second whom it waits for", async () => {
    let builds = 0;
    const waitedFor: (number | undefined)[] = [];
    const build = async (folder: string): Promise<void> => {
      builds += 1;
      await writeFruit(folder);
      await waiting;
    };
    let hasWaiter: () => void = () => undefined;
    const waiting = new Promise<void>((resolve) => (hasWaiter = resolve));
    const onWait = (holder: { pid: number } | undefined): void => {
      waitedFor.push(holder?.pid);
      hasWaiter();
    };

    await Promise.all([
      ensure(root, "fruit-1", { build, onWait }),
      ensure(root, "fruit-1", { build, onWait }),
    ]);

    expect(builds).toBe(1);
    expect(waitedFor).toEqual([process.pid]);
  });

  it("leaves nothing behind when the build fails", async () => {
    const build = async (folder: string): Promise<void> => {
      await writeFruit(folder);
      throw new Error("no apples");
    };

    await expect(ensure(root, "fruit-1", { build })).rejects.toThrow("no apples");

    expect(await readdir(root)).toEqual([]);
  });

  it("sweeps the half-built folder and the lock of a process that was killed", async () => {
    const dead = spawnSync(process.execPath, ["--version"]).pid;
    await mkdir(join(root, "fruit-1.tmp-killed"));
    const lock = { pid: dead, host: hostname(), id: "killed" };
    await writeFile(join(root, "fruit-1.lock"), JSON.stringify(lock));

    await ensure(root, "fruit-1", { build: writeFruit });

    expect(await readdir(root)).toEqual(["fruit-1"]);
  });

  it("builds again what no longer works", async () => {
    await mkdir(join(root, "fruit-1"));
    await writeFile(join(root, "fruit-1", "rotten"), "");
    const isUsable = async (folder: string): Promise<boolean> =>
      !(await readdir(folder)).includes("rotten");

    const path = await ensure(root, "fruit-1", { build: writeFruit, isUsable });

    expect(await readdir(path)).toEqual(["fruit"]);
  });
});

describe("isStale", () => {
  const holder = { pid: 1, host: "here", id: "a" };

  it.each([
    { title: "holds while its process runs", isAlive: true, silentMs: 0, stale: false },
    { title: "is stale once its process is gone", isAlive: false, silentMs: 0, stale: true },
    {
      title: "is stale when silent, though the pid runs (it was given to another program)",
      isAlive: true,
      silentMs: STALE_AFTER_MS + 1,
      stale: true,
    },
  ])("$title", ({ isAlive, silentMs, stale }) => {
    expect(isStale(holder, silentMs, "here", () => isAlive)).toBe(stale);
  });

  it("does not judge another host's process by the pids of this one", () => {
    expect(isStale(holder, 0, "elsewhere", () => false)).toBe(false);
  });
});
