import { existsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { LIGHT_PYTHON } from "../support/light-server.ts";
import { startPoolProcess } from "../support/runtime-pool-process.ts";
import type { PoolProcess } from "../support/runtime-pool-process.ts";
import { processesOfGroup } from "../support/runtime-processes.ts";
import { lightSpec, STATE_MS } from "../support/runtime-scene.ts";
import { waitFor } from "../support/wait-for.ts";

jest.setTimeout(60_000);

let folder: string;
let owner: PoolProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "runtime-orphans-"));
  owner = startPoolProcess({
    dataDir: folder,
    python: LIGHT_PYTHON,
    isLight: true,
    spec: lightSpec({ env: { LIGHT_HEALTH_FAILS_FILE: join(folder, "sick") } }),
  });
});

afterEach(async () => {
  await owner.end("SIGKILL");
  await rm(folder, { recursive: true });
});

async function waitForEndOf(group: number): Promise<void> {
  await waitFor("The end of all processes", () => processesOfGroup(group).length === 0, STATE_MS);
}

describe("no process of a server survives", () => {
  it.each(["SIGTERM", "SIGKILL"] as const)("%s of its emulator", async (signal) => {
    const group = await owner.waitForState("READY", 0, STATE_MS);
    const before = processesOfGroup(group).map(({ command }) => command);

    await owner.end(signal);

    expect(before.some((command) => command.includes("server.py"))).toBe(true);
    await waitForEndOf(group);
    expect(existsSync(join(folder, "containers", "one", "tmp"))).toBe(false);
  });

  it("kill -9 of its emulator while its container is being restarted", async () => {
    const first = await owner.waitForState("READY", 0, STATE_MS);
    // The next container lives, and never becomes healthy.
    writeFileSync(join(folder, "sick"), "");
    process.kill(first, "SIGKILL");
    const second = await owner.waitForState("RESTARTING", 1, STATE_MS);
    await waitFor("The second's processes", () => processesOfGroup(second).length > 2, STATE_MS);

    await owner.end("SIGKILL");

    await waitForEndOf(first);
    await waitForEndOf(second);
  });

  it("kill -9 of its supervisor, and the server is restarted", async () => {
    const first = await owner.waitForState("READY", 0, STATE_MS);

    process.kill(first, "SIGKILL");
    const second = await owner.waitForState("READY", 1, STATE_MS);

    expect(second).not.toBe(first);
    await waitForEndOf(first);
  });

  it("kill -9 of its emulator and its supervisor at once", async () => {
    const group = await owner.waitForState("READY", 0, STATE_MS);

    // Stopped, the supervisor can do nothing about the emulator's end.
    process.kill(group, "SIGSTOP");
    await owner.end("SIGKILL");
    expect(processesOfGroup(group).length).toBeGreaterThan(1);
    process.kill(group, "SIGKILL");

    await waitForEndOf(group);
  });
});
