import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { clearKilledRuns } from "../../scripts/toolchain/killed-runs.ts";

describe("clearKilledRuns", () => {
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

    expect(await clearKilledRuns(backend)).toEqual([pid]);

    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves the locks of other machines, and what is no lock", async () => {
    await lock("elsewhere", JSON.stringify({ pid: 1, username: "me", hostname: "elsewhere" }));
    await lock("half", '{"pid": 12');

    expect(await clearKilledRuns(backend)).toEqual([]);

    expect(await readdir(folder)).toHaveLength(2);
  });

  it("finds none in a backend without locks", async () => {
    expect(await clearKilledRuns(join(backend, "nowhere"))).toEqual([]);
  });

  it("removes attributes that a kill left torn, but not while a run is at work", async () => {
    const stacks = join(backend, ".pulumi/stacks/vertex-diffusion");
    await mkdir(stacks, { recursive: true });
    await writeFile(join(stacks, "local.json"), "{}");
    await writeFile(join(stacks, "local.json.attrs"), "");
    await writeFile(join(stacks, "other.json.attrs"), '{"user.cache_control":""}');
    await lock("elsewhere", JSON.stringify({ pid: 1, username: "me", hostname: "elsewhere" }));

    await clearKilledRuns(backend);
    const during = await readdir(stacks);
    await rm(join(folder, "elsewhere.json"));
    await clearKilledRuns(backend);

    expect(during).toHaveLength(3);
    expect(await readdir(stacks)).toEqual(["local.json", "other.json.attrs"]);
  });

  it("looks through the history too when it finds a killed run's lock", async () => {
    const history = join(backend, ".pulumi/history");
    await mkdir(history, { recursive: true });
    await writeFile(join(history, "local-1.history.json.attrs"), "");
    const { pid } = spawnSync(process.execPath, ["--version"]);
    await lock("dead", JSON.stringify({ pid, username: "me", hostname: hostname() }));

    await clearKilledRuns(backend);

    expect(await readdir(history)).toEqual([]);
  });
});
