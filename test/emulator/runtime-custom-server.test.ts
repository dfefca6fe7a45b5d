import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { kindOfImage } from "../../emulator/runtime/images.ts";
import type { ServerSpec } from "../../emulator/runtime/server-spec.ts";
import { contractServer } from "../support/contract-server.ts";
import { processesOfGroup } from "../support/runtime-processes.ts";
import { jsonPayload, lightSpec, setRuntimeScene, STATE_MS } from "../support/runtime-scene.ts";
import type { RuntimeScene } from "../support/runtime-scene.ts";
import { waitFor } from "../support/wait-for.ts";

jest.setTimeout(60_000);

let scene: RuntimeScene;

beforeEach(async () => {
  scene = await setRuntimeScene(contractServer);
});

afterEach(async () => {
  await scene.stop();
});

/** A failed attempt restarts the container, once it has answered. */
const STRICT_PROBES = {
  startupProbe: { periodSeconds: 1, failureThreshold: 20 },
  livenessProbe: { periodSeconds: 1, failureThreshold: 1 },
};

async function start(
  env: Readonly<Record<string, string>> = {},
  probes: Partial<ServerSpec> = {},
): Promise<number> {
  await scene.pool.start(
    lightSpec({
      env: {
        AIP_HTTP_PORT: "8080",
        AIP_HEALTH_ROUTE: "/ping",
        AIP_PREDICT_ROUTE: "/predict",
        CONTRACT_FILES: scene.file("."),
        ...env,
      },
      ...probes,
    }),
  );
  return scene.one().pid ?? 0;
}

const predict = (instances: readonly unknown[] = ["a"]) =>
  scene.pool.predict("one", jsonPayload({ instances }), 30_000);
const isThere = (name: string) =>
  waitFor(`The file "${name}"`, () => existsSync(scene.file(name)), STATE_MS);
const isGone = (group: number) =>
  waitFor("Its processes' end", () => processesOfGroup(group).length === 0, STATE_MS);

describe("a server that ends at SIGTERM", () => {
  it("is waited for, and leaves no process behind", async () => {
    const group = await start();

    await scene.pool.stop("one");

    expect(existsSync(scene.file("ended"))).toBe(true);
    await isGone(group);
  });

  it("is checked no longer once it is told, so that no probe cuts short what it still answers", async () => {
    await start({}, STRICT_PROBES);

    const underWay = predict(["gated"]);
    await isThere("called");
    const stopped = scene.pool.stop("one");
    await isThere("told");
    // By then it listens no longer, and several probes would have come.
    const later = Date.now() + 2000;
    await waitFor("A while", () => Date.now() > later, STATE_MS);
    scene.switchOn("gate");
    await stopped;

    expect((await underWay).status).toBe(200);
    expect(existsSync(scene.file("ended"))).toBe(true);
  });

  it("is killed when it stays, and its log says so", async () => {
    const group = await start({ CONTRACT_STAYS: "yes" });

    await scene.pool.stop("one", { drainMs: 500 });

    expect(existsSync(scene.file("told"))).toBe(true);
    expect(existsSync(scene.file("ended"))).toBe(false);
    expect(scene.pool.readLog("one")).toMatch(
      /emulator: the server is told to end\n[^]*emulator: the server is killed: it did not end within 0.5 s\n/,
    );
    await isGone(group);
  });

  it("is started anew when it has died", async () => {
    const group = await start();

    scene.pool.kill("one");
    await scene.waitForState("READY", 1);

    expect((await predict()).status).toBe(200);
    await isGone(group);
  });
});

describe("an image", () => {
  const digest = `sha256:${"0a".repeat(32)}`;

  it.each([
    "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
    "asia-docker.pkg.dev/vertex-ai/prediction/pytorch-cpu.1-13",
  ])("of Google's is known: %s", (image) => {
    expect(kindOfImage(image)).toBe("prebuilt");
  });

  it.each([
    "us-central1-docker.pkg.dev/my-project/images/vertex-diffusion",
    "us-central1-docker.pkg.dev/my-project/images/vertex-diffusion:2026-11-27",
    `europe-west4-docker.pkg.dev/my-project/images/sd/vertex-diffusion@${digest}`,
    `localhost:5000/vertex-diffusion:latest@${digest}`,
  ])("of the project's own server is known by its name: %s", (image) => {
    expect(kindOfImage(image)).toBe("custom");
  });

  it.each([
    "us-central1-docker.pkg.dev/my-project/vertex-diffusion/server:1",
    "us-central1-docker.pkg.dev/my-project/images/my-vertex-diffusion:1",
    "us-central1-docker.pkg.dev/my-project/images/vertex-diffusion-2",
    "us-central1-docker.pkg.dev/my-project/images/vertex-diffusion@sha256:0a",
    "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
    "vertex-diffusion",
    "",
  ])("of another server is foreign: %p", (image) => {
    expect(kindOfImage(image)).toBeUndefined();
  });
});
