import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import type { Probe } from "../../emulator/runtime/server-spec.ts";
import { jsonPayload, lightSpec, setRuntimeScene, STATE_MS } from "../support/runtime-scene.ts";
import type { RuntimeScene } from "../support/runtime-scene.ts";
import { waitFor } from "../support/wait-for.ts";

jest.setTimeout(60_000);

const OFTEN = { periodSeconds: 0.05, timeoutSeconds: 5 };

let scene: RuntimeScene;

beforeEach(async () => {
  scene = await setRuntimeScene();
});

afterEach(async () => {
  await scene.stop();
});

function calls(): string[] {
  const file = scene.file("calls");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

async function predict(): Promise<unknown> {
  const answer = await scene.pool.predict("one", jsonPayload({ instances: ["a"] }), 5000);
  return JSON.parse(answer.body.toString());
}

describe("a startup probe", () => {
  const startupProbe: Probe = { ...OFTEN, httpGet: { path: "/started" } };

  it("keeps the health check from beginning until it has passed", async () => {
    scene.switchOn("sick");
    const deploy = scene.pool.start(
      lightSpec({
        env: { LIGHT_HEALTH_FAILS_FILE: scene.file("sick"), LIGHT_CALLS_FILE: scene.file("calls") },
        startupProbe: { ...startupProbe, failureThreshold: 10_000 },
      }),
    );
    await waitFor("Some attempts", () => calls().length >= 3, STATE_MS);
    const before = calls();
    scene.switchOff("sick");
    await deploy;

    expect(new Set(before)).toEqual(new Set(["GET /started"]));
    expect(calls()).toContain("GET /ping");
    expect(await predict()).toEqual({ predictions: ["a"] });
  });

  it("restarts the container when it fails too often, until the deploy's deadline", async () => {
    scene.switchOn("sick");
    const deploy = scene.pool.start(
      lightSpec({
        env: { LIGHT_HEALTH_FAILS_FILE: scene.file("sick") },
        startupProbe: { ...startupProbe, failureThreshold: 2 },
        deploymentTimeoutMs: 1500,
      }),
    );

    await expect(deploy).rejects.toThrow(
      /^model server never became ready: the model did not answer within 1.5 s\. /,
    );
    expect(scene.pool.list()).toEqual([]);
    expect(scene.pool.readLog("one")).toContain(
      "emulator: container restarted: the startup probe failed 2 times in a row\n",
    );
  });
});

describe("a health check that fails", () => {
  it("stops predictions without a restart, and lets them through at the next success", async () => {
    await scene.pool.start(
      lightSpec({
        env: { LIGHT_HEALTH_FAILS_FILE: scene.file("sick") },
        healthProbe: { ...OFTEN, failureThreshold: 4 },
      }),
    );
    const ready = scene.one();

    scene.switchOn("sick");
    await scene.waitForState("UNHEALTHY");
    const unhealthy = scene.one();
    await expect(predict()).rejects.toMatchObject({ reason: "NOT_READY" });
    scene.switchOff("sick");
    await scene.waitForState("READY");

    expect(await predict()).toEqual({ predictions: ["a"] });
    expect(unhealthy).toMatchObject({ pid: ready.pid, restarts: 0 });
    expect(Date.parse(unhealthy.since)).toBeGreaterThan(Date.parse(ready.since));
    expect(scene.one()).toMatchObject({ pid: ready.pid, restarts: 0 });
  });
});

describe("a liveness probe that fails", () => {
  // Not before the server has had time to listen.
  const times = { ...OFTEN, initialDelaySeconds: 2, failureThreshold: 3 };

  it.each<{ what: string; trouble: string; livenessProbe: Probe }>([
    { what: "a connection", trouble: "deaf", livenessProbe: { ...times, tcpSocket: {} } },
    { what: "a request", trouble: "sick", livenessProbe: { ...times, httpGet: { path: "/live" } } },
  ])("restarts the container when $what fails", async ({ trouble, livenessProbe }) => {
    await scene.pool.start(
      lightSpec({
        env: {
          LIGHT_DEAF_FILE: scene.file("deaf"),
          LIGHT_HEALTH_FAILS_FILE: scene.file("sick"),
        },
        livenessProbe,
      }),
    );
    const { pid } = scene.one();

    scene.switchOn(trouble);
    await waitFor("A restart", () => scene.one().restarts === 1, STATE_MS);
    scene.switchOff(trouble);
    await scene.waitForState("READY", 1);

    expect(scene.one().pid).not.toBe(pid);
    expect(await predict()).toEqual({ predictions: ["a"] });
    expect(scene.pool.readLog("one")).toContain(
      "container restarted: the liveness probe failed 3 times in a row\n",
    );
  });
});

describe("a probe that is a command", () => {
  it("is not run, counts as passed, and is named in the log", async () => {
    const exec = { command: ["touch", scene.file("touched")] };
    await scene.pool.start(
      lightSpec({
        startupProbe: { ...OFTEN, exec },
        healthProbe: { ...OFTEN, exec },
        livenessProbe: { ...OFTEN, exec },
      }),
    );

    expect(await predict()).toEqual({ predictions: ["a"] });
    expect(existsSync(scene.file("touched"))).toBe(false);
    expect(scene.pool.readLog("one")).toContain(
      "emulator: the startup probe is not run and counts as passed: the emulator runs nothing but its own servers, so no commands\n",
    );
  });
});
