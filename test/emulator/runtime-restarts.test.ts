import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { processesOfGroup } from "../support/runtime-processes.ts";
import { jsonPayload, lightSpec, setRuntimeScene, STATE_MS } from "../support/runtime-scene.ts";
import type { RuntimeScene } from "../support/runtime-scene.ts";
import { waitFor } from "../support/wait-for.ts";

jest.setTimeout(60_000);

/** The pause before a second restart is 1 s. */
const LONGER_THAN_A_PAUSE_MS = 1500;

let scene: RuntimeScene;

beforeEach(async () => {
  scene = await setRuntimeScene();
});

afterEach(async () => {
  await scene.stop();
});

const spec = () => lightSpec({ env: { LIGHT_EXIT_FILE: scene.file("end") } });
const predict = () => scene.pool.predict("one", jsonPayload({ instances: ["a"] }), 5000);

describe("a server whose process ends by itself", () => {
  it("is restarted, and its log keeps what the earlier container wrote", async () => {
    await scene.pool.start(spec());

    scene.switchOn("end");
    await waitFor("A restart", () => scene.one().restarts >= 1, STATE_MS);
    scene.switchOff("end");
    await scene.waitForState("READY", 1);

    expect((await predict()).status).toBe(200);
    expect(scene.pool.readLog("one")).toMatch(
      /the light server was told to end\n.*exit code 3\.\n.*emulator: container restarted: its process ended\n/,
    );
  });

  it("fails its deploy when it ends a second time, with the server's last words", async () => {
    scene.switchOn("end");

    const deploy = scene.pool.start(spec());

    await expect(deploy).rejects.toThrow(
      /^model server never became ready: its process ended\. [^]*the light server was told to end/,
    );
    expect(scene.pool.list()).toEqual([]);
  });

  it("begins its next deploy with an empty log", async () => {
    scene.switchOn("end");
    await expect(scene.pool.start(spec())).rejects.toThrow();
    scene.switchOff("end");

    await scene.pool.start(spec());

    expect(scene.pool.readLog("one")).toBe("");
  });
});

describe("a server that is killed as if its machine had died", () => {
  it("is restarted with all its processes new", async () => {
    await scene.pool.start(lightSpec());
    const group = scene.one().pid ?? 0;
    const before = processesOfGroup(group);

    const isKilled = scene.pool.kill("one");
    await scene.waitForState("READY", 1);

    expect(isKilled).toBe(true);
    expect((await predict()).status).toBe(200);
    expect(before.length).toBeGreaterThan(1);
    await waitFor("The old ones' end", () => processesOfGroup(group).length === 0, STATE_MS);
  });

  it("has to be there", () => {
    expect(scene.pool.kill("nobody")).toBe(false);
  });
});

describe("a server that ran before the emulator was restarted", () => {
  it("is started again beside the log that it had", async () => {
    await scene.pool.start(lightSpec({ env: { LD_PRELOAD: "before" } }));
    await scene.pool.stop("one");

    scene.pool.resume(lightSpec());
    expect(scene.one().state).toBe("RESTARTING");
    await scene.waitForState("READY");

    expect((await predict()).status).toBe(200);
    expect(scene.pool.readLog("one")).toContain("LD_PRELOAD");
  });
});

describe("a server that is stopped", () => {
  it("while it is deployed ends that deploy", async () => {
    const deploy = scene.pool.start(lightSpec());

    const [outcome] = await Promise.allSettled([deploy, scene.pool.stop("one")]);

    expect(outcome).toMatchObject({
      status: "rejected",
      reason: {
        message: expect.stringMatching(/^model server never became ready: it was stopped/),
      },
    });
    expect(scene.pool.list()).toEqual([]);
  });

  it("between two containers gets no other", async () => {
    scene.switchOn("end");
    scene.pool.resume(spec());
    await waitFor("A restart", () => scene.one().restarts >= 1, STATE_MS);

    await scene.pool.stop("one");

    const log = scene.pool.readLog("one");
    const longAfter = Date.now() + LONGER_THAN_A_PAUSE_MS;
    await waitFor("A while", () => Date.now() > longAfter, STATE_MS);
    expect(scene.pool.list()).toEqual([]);
    expect(scene.pool.readLog("one")).toBe(log);
  });
});
