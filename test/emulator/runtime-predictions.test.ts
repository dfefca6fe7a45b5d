import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { LONGEST_ANSWER_BYTES } from "../../emulator/runtime/server-calls.ts";
import { processesOfGroup } from "../support/runtime-processes.ts";
import { jsonPayload, lightSpec, setRuntimeScene, STATE_MS } from "../support/runtime-scene.ts";
import type { RuntimeScene } from "../support/runtime-scene.ts";
import { waitFor } from "../support/wait-for.ts";

jest.setTimeout(60_000);

const PLENTY_MS = 30_000;

let scene: RuntimeScene;

beforeEach(async () => {
  scene = await setRuntimeScene();
});

afterEach(async () => {
  await scene.stop();
});

const predict = (instances: readonly unknown[] = ["a"], timeoutMs = PLENTY_MS) =>
  scene.pool.predict("one", jsonPayload({ instances }), timeoutMs);

async function startSlow(slowMs: number): Promise<void> {
  await scene.pool.start(lightSpec({ env: { LIGHT_SLOW_MS: String(slowMs) } }));
}

describe("a prediction", () => {
  it("is answered with the container's status, type and body", async () => {
    await scene.pool.start(lightSpec());

    const answer = await predict([{ prompt: "a" }]);

    expect({ ...answer, body: answer.body.toString() }).toEqual({
      status: 200,
      contentType: "application/json",
      body: '{"predictions": [{"prompt": "a"}]}',
    });
  });

  it("is refused when no such server runs", async () => {
    await expect(predict()).rejects.toMatchObject({
      name: "ServerCallError",
      reason: "NOT_READY",
      message: "The model server is not ready. Try again later.",
    });
  });

  it("may take longer than a connection is kept", async () => {
    await startSlow(1500);

    expect((await predict()).status).toBe(200);
    expect((await predict()).status).toBe(200);
  });

  it("ends at its deadline", async () => {
    await startSlow(PLENTY_MS);

    await expect(predict(["a"], 100)).rejects.toMatchObject({
      reason: "TIMEOUT",
      message: "The model server did not answer within 0.1 s.",
    });
  });

  it("fails when its server dies", async () => {
    await startSlow(PLENTY_MS);

    const prediction = predict();
    scene.pool.kill("one");

    await expect(prediction).rejects.toMatchObject({ reason: "CONNECTION_LOST" });
  });

  it("is cut off when its answer is longer than any that Vertex lets through", async () => {
    await scene.pool.start(lightSpec());

    const prediction = predict(["x".repeat(LONGEST_ANSWER_BYTES)]);

    await expect(prediction).rejects.toMatchObject({ reason: "TOO_LARGE" });
  });
});

describe("a streamed prediction", () => {
  const stream = (timeoutMs = PLENTY_MS, cancel?: AbortSignal) => {
    const body = {
      chunks: ["a", "b", "c"],
      gate: scene.file("gate"),
      closed: scene.file("closed"),
    };
    return scene.pool.stream("one", jsonPayload(body), timeoutMs, cancel);
  };
  const isClosed = () =>
    waitFor("The request's end", () => existsSync(scene.file("closed")), STATE_MS);

  beforeEach(async () => {
    await scene.pool.start(lightSpec({ predictRoute: "/stream" }));
  });

  it("hands the chunks on as the container writes them", async () => {
    const answer = await stream();
    const seen: string[] = [];
    for await (const chunk of answer.chunks) {
      // The container writes the others only after this one has come.
      if (seen.length === 0) scene.switchOn("gate");
      seen.push(chunk.toString());
    }

    expect([answer.status, answer.contentType]).toEqual([200, "text/plain"]);
    expect(seen[0]).toBe("a");
    expect(seen.join("")).toBe("abc");
  });

  it("closes the container's request when its reader leaves", async () => {
    const { chunks } = await stream();
    for await (const chunk of chunks) {
      expect(chunk.toString()).toBe("a");
      break;
    }

    await isClosed();
  });

  it("closes the container's request when its reader's own caller has gone", async () => {
    const cancel = new AbortController();
    const { chunks } = await stream(PLENTY_MS, cancel.signal);

    const reading = (async () => {
      for await (const chunk of chunks) if (chunk.toString() === "a") cancel.abort();
    })();

    await expect(reading).rejects.toMatchObject({ reason: "CONNECTION_LOST" });
    await isClosed();
  });

  it("must be at its end by its deadline", async () => {
    const { chunks } = await stream(500);

    const reading = (async () => {
      const seen: string[] = [];
      for await (const chunk of chunks) seen.push(chunk.toString());
      return seen;
    })();

    await expect(reading).rejects.toMatchObject({ reason: "TIMEOUT" });
    await isClosed();
  });

  it("keeps a server that is to be stopped until it has ended", async () => {
    const { chunks } = await stream();

    const stopped = scene.pool.stop("one");
    scene.switchOn("gate");
    let text = "";
    for await (const chunk of chunks) text += chunk.toString();
    await stopped;

    expect(text).toBe("abc");
  });
});

describe("a server that is to be stopped", () => {
  it("answers what is under way, takes nothing new, and then is gone with its processes", async () => {
    await startSlow(1000);
    const group = scene.one().pid ?? 0;
    const order: string[] = [];

    const underWay = predict().then(({ status }) => order.push(`answered ${status}`));
    const stopped = scene.pool.stop("one").then(() => order.push("stopped"));
    const { state } = scene.one();
    await expect(predict()).rejects.toMatchObject({ reason: "NOT_READY" });
    await Promise.all([underWay, stopped]);

    expect(state).toBe("DRAINING");
    expect(order).toEqual(["answered 200", "stopped"]);
    expect(scene.pool.list()).toEqual([]);
    await waitFor("Its processes' end", () => processesOfGroup(group).length === 0, STATE_MS);
  });

  it("waits no longer than it is given", async () => {
    await startSlow(PLENTY_MS);

    const underWay = predict();
    const [prediction] = await Promise.allSettled([
      underWay,
      scene.pool.stop("one", { drainMs: 100 }),
    ]);

    expect(prediction).toMatchObject({ status: "rejected", reason: { reason: "CONNECTION_LOST" } });
  });
});
