import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { ServerPool } from "../../emulator/runtime/server-pool.ts";
import type { ServerSpec } from "../../emulator/runtime/server-pool.ts";
import { packLightArchive } from "../support/light-archive.ts";
import { IMAGE } from "../support/light-cloud.ts";
import { startPoolProcess } from "../support/runtime-pool-process.ts";
import { processesOfGroup } from "../support/runtime-processes.ts";
import { jsonPayload } from "../support/runtime-scene.ts";
import { torchServePython } from "../support/torchserve-python.ts";
import { waitFor } from "../support/wait-for.ts";

const START_MS = 120_000;

jest.setTimeout(2 * START_MS);

let folder: string;
let spec: ServerSpec;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "runtime-torchserve-"));
  const archive = join(folder, "model.mar");
  writeFileSync(archive, await packLightArchive());
  spec = {
    id: "one",
    imageUri: IMAGE,
    archive,
    env: { GREETING: "hello", TEMP: "/nowhere", PYTHONPATH: "/nowhere", PATH: "/nowhere" },
    healthRoute: "/ping",
    predictRoute: "/predictions/model",
  };
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("a real TorchServe", () => {
  it("leaves no Java and no Python worker behind when it is killed, or its emulator is", async () => {
    const owner = startPoolProcess({
      dataDir: join(folder, "data"),
      python: torchServePython(),
      isLight: false,
      spec,
    });
    const first = await owner.waitForState("READY", 0, START_MS);
    const commands = processesOfGroup(first).map(({ command }) => command);

    process.kill(first, "SIGKILL");
    const second = await owner.waitForState("READY", 1, START_MS);
    const again = processesOfGroup(second);
    await owner.end("SIGKILL");

    expect(commands.some((command) => /java .*org\.pytorch\.serve/.test(command))).toBe(true);
    expect(commands.some((command) => command.includes("model_service_worker.py"))).toBe(true);
    expect(again).toHaveLength(commands.length);
    for (const group of [first, second]) {
      await waitFor("The end of all", () => processesOfGroup(group).length === 0, 30_000);
    }
  });

  it("answers all predictions under way before it is stopped, in an environment of its own", async () => {
    const pool = new ServerPool({
      dataDir: join(folder, "data"),
      python: torchServePython(),
      startupTimeoutMs: START_MS,
    });
    await pool.start(spec);
    const group = pool.list()[0]?.pid ?? 0;

    const names = ["GREETING", "TEMP", "PYTHONPATH", "PATH"];
    const payload = jsonPayload({ instances: [{ environment: names }] });
    const underWay = Array.from({ length: 20 }, () => pool.predict("one", payload, 60_000));
    await pool.stop("one");
    const answers = await Promise.all(underWay);

    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const { predictions } = JSON.parse(String(answers[0]?.body)) as {
      predictions: { environment: Record<string, string | null> }[];
    };
    const seen = predictions[0]?.environment;
    expect(seen?.["GREETING"]).toBe("hello");
    expect(Object.values(seen ?? {})).not.toContain("/nowhere");
    await waitFor("The end of all", () => processesOfGroup(group).length === 0, 30_000);
  });
});
