import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { removeDeadLocks } from "../../scripts/toolchain/dead-locks.ts";

describe("removeDeadLocks", () => {
  let backend: string;
  let folder: string;
  const lock = (name: string, text: string) => writeFile(join(folder, `${name}.json`), text);

  beforeEach(async () => {
    backend = await mkdtemp(join(tmpdir(), "vertex-locks-"));
    folder = join(backend, ".pulumi/locks/organization/vertex-diffusion/local");
    await mkdir(folder, { recursive: true });
  });

  afterEach(() => rm(backend, { recursive: true }));

  it("removes the lock of a process of this machine that is gone", async () => {
    const { pid } = spawnSync(process.execPath, ["--version"]);
    await lock("dead", JSON.stringify({ pid, username: "me", hostname: hostname() }));

    expect(await removeDeadLocks(backend)).toEqual([pid]);

    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves the locks of other machines, and what is no lock", async () => {
    await lock("elsewhere", JSON.stringify({ pid: 1, username: "me", hostname: "elsewhere" }));
    await lock("half", '{"pid": 12');

    expect(await removeDeadLocks(backend)).toEqual([]);

    expect(await readdir(folder)).toHaveLength(2);
  });

  it("finds none in a backend without locks", async () => {
    expect(await removeDeadLocks(join(backend, "nowhere"))).toEqual([]);
  });
});
