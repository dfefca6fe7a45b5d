import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { OWN_SERVER, START_MS, TORCHSERVE, startTwoContainers } from "../support/two-containers.ts";
import type { TwoContainers } from "../support/two-containers.ts";

jest.setTimeout(START_MS);

let servers: TwoContainers;

beforeAll(async () => {
  servers = await startTwoContainers();
});

afterAll(async () => {
  await servers?.stop();
});

/** What an endpoint answers to a body, all but how long it took. */
async function answerOf(endpoint: string, body: unknown) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await servers.post(endpoint, "rawPredict", text);
  const withoutTimings = (key: string, value: unknown) => (key === "timings" ? undefined : value);
  return {
    status: answer.status,
    contentType: answer.headers.get("content-type"),
    body: JSON.parse(await answer.text(), withoutTimings) as Record<string, unknown>,
  };
}

const RED_CIRCLE = { prompt: "a red circle", num_inference_steps: 4, seed: 7 };
const with_ = (fields: Readonly<Record<string, unknown>>) => [{ ...RED_CIRCLE, ...fields }];
/** Of 64 x 64 pixels, one colour. */
const INIT_IMAGE =
  "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsEty/aMYywi+hcEKLNO+FgEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywLKp0DxvxLbjwAAAABJRU5ErkJggg==";

describe("TorchServe and the project's own server, with one archive", () => {
  it.each<{ what: string; instances: readonly unknown[] }>([
    { what: "a prompt and a seed", instances: [RED_CIRCLE] },
    { what: "another prompt beside it", instances: [RED_CIRCLE, { ...RED_CIRCLE, seed: 8 }] },
    { what: "a negative prompt", instances: with_({ negative_prompt: "blue", guidance_scale: 5 }) },
    { what: "a size", instances: with_({ width: 96, height: 64 }) },
    { what: "a scheduler", instances: with_({ scheduler: "euler_a" }) },
    {
      what: "a picture to start from",
      instances: with_({ init_image: INIT_IMAGE, strength: 0.5 }),
    },
    { what: "several pictures", instances: with_({ num_images: 3 }) },
    { what: "all that is known of them", instances: with_({ num_images: 2, output: "full" }) },
    { what: "JPEG", instances: with_({ image_format: "jpeg", quality: 70 }) },
    { what: "WebP", instances: with_({ image_format: "webp" }) },
    { what: "a bad instance beside a good one", instances: [RED_CIRCLE, { prompt: 7 }] },
  ])("answer $what with the same pictures", async ({ instances }) => {
    const byTorchServe = await answerOf(TORCHSERVE, { instances });
    const byOwnServer = await answerOf(OWN_SERVER, { instances });

    expect(byTorchServe.status).toBe(200);
    expect(byTorchServe.body["predictions"]).toHaveLength(instances.length);
    expect(byOwnServer).toEqual(byTorchServe);
  });

  it.each<{ what: string; body: unknown }>([
    { what: "no prompt", body: { instances: [{}] } },
    { what: "an unknown field", body: { instances: with_({ stesp: 3 }) } },
    { what: "too many steps", body: { instances: with_({ num_inference_steps: 1000 }) } },
    { what: "a size that is no multiple", body: { instances: with_({ width: 65 }) } },
    { what: "an unknown scheduler", body: { instances: with_({ scheduler: "own" }) } },
    { what: "an address for a picture", body: { instances: with_({ init_image: "http://a/b" }) } },
    {
      what: "too much work",
      body: {
        instances: with_({ width: 1024, height: 1024, num_inference_steps: 100, num_images: 8 }),
      },
    },
    { what: "a prompt that is too long", body: { instances: ["circle ".repeat(400)] } },
    { what: "two bad instances", body: { instances: [{ prompt: 7 }, ...with_({ width: 65 })] } },
    { what: "too many instances", body: { instances: Array(40).fill(RED_CIRCLE) } },
    { what: "no instances", body: { instances: [] } },
    { what: "instances that are no array", body: { instances: RED_CIRCLE } },
    { what: "a body without them", body: {} },
    { what: "a body that is no object", body: "[]" },
    { what: "a body that is no JSON", body: "{" },
  ])("refuse $what with the same status and words", async ({ body }) => {
    const byTorchServe = await answerOf(TORCHSERVE, body);
    const byOwnServer = await answerOf(OWN_SERVER, body);

    expect(byTorchServe.status).toBe(400);
    expect(byOwnServer).toEqual(byTorchServe);
  });

  it("differ in parameters, which TorchServe's envelopes may lose and its handler refuses", async () => {
    const { prompt, ...parameters } = RED_CIRCLE;

    const byTorchServe = await answerOf(TORCHSERVE, { instances: [prompt], parameters });
    const byOwnServer = await answerOf(OWN_SERVER, { instances: [prompt], parameters });
    const inTheInstance = await answerOf(OWN_SERVER, { instances: [RED_CIRCLE] });

    expect(byTorchServe.status).toBe(400);
    expect(byOwnServer).toEqual(inTheInstance);
  });

  it("differ in streaming, where the project's own tells each step before the same picture", async () => {
    const body = { instances: [RED_CIRCLE], parameters: { stream: true } };

    const answer = await servers.post(OWN_SERVER, "streamRawPredict", JSON.stringify(body));
    const events = (await answer.text()).trimEnd().split("\n\n");
    const { body: whole } = await answerOf(TORCHSERVE, { instances: [RED_CIRCLE] });

    const [prediction] = whole["predictions"] as string[];
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    expect(events).toEqual([
      ...[1, 2, 3, 4].map((step) => `event: progress\ndata: {"step": ${step}, "of": 4}`),
      `event: prediction\ndata: {"index": 0, "prediction": "${prediction}"}`,
    ]);
  });
});

describe("the project's own server, when its model is undeployed", () => {
  it("ends the stream that is under way with its picture", async () => {
    const instances = with_({ num_inference_steps: 10 });
    const body = JSON.stringify({ instances, parameters: { stream: true } });
    const { body: endpoint } = await servers.cloud.call("GET", `endpoints/${OWN_SERVER}`);
    const [deployed] = endpoint["deployedModels"] as { id: string }[];

    const answer = await servers.post(OWN_SERVER, "streamRawPredict", body);
    // Its head comes with the first step.
    const undeploy = servers.cloud.operation("POST", `endpoints/${OWN_SERVER}:undeployModel`, {
      deployedModelId: deployed?.id,
    });
    const events = (await answer.text()).trimEnd().split("\n\n");

    expect((await undeploy).error).toBeUndefined();
    expect(events).toHaveLength(11);
    expect(events.at(-1)).toMatch(/^event: prediction\n/);
  });
});
