import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { isHolding } from "../support/cloud-questions.ts";
import { control, emulatorState } from "../support/emulator.ts";
import { PARENT, startLightCloud } from "../support/light-cloud.ts";
import type { LightCloud } from "../support/light-cloud.ts";
import { waitForOperation } from "../support/vertex-rest.ts";
import { waitFor } from "../support/wait-for.ts";

const CANCELLED = 1;

jest.setTimeout(60_000);

let cloud: LightCloud;

beforeAll(async () => {
  cloud = await startLightCloud();
  await cloud.uploaded({ modelId: "light" });
  await cloud.uploaded({
    modelId: "sleeper",
    container: { env: [{ name: "LIGHT_STARTUP_MS", value: "60000" }] },
  });
  await cloud.endpoint("100");
});

afterAll(() => cloud.stop());

/** Lets the next call's operation hang, and answers the operation's name. */
async function holdNext(method: string, call: () => Promise<{ body: { name: string } }>) {
  await control(cloud.emulator.address, "POST", "faults", { method, hold: true });
  return (await call()).body.name;
}

async function cancel(name: string): Promise<void> {
  const { status, body } = await cloud.call("POST", `/v1/${name}:cancel`, {});
  expect({ status, body }).toEqual({ status: 200, body: {} });
}

describe("CancelOperation", () => {
  it("ends a deploy that hangs with CANCELLED and leaves nothing on the endpoint", async () => {
    const name = await holdNext("DeployModel", () =>
      cloud.deploy({ endpoint: "100", model: "light" }),
    );

    await cancel(name);

    const ended = await waitForOperation(cloud.emulator.address.rest, name);
    expect(ended.error).toMatchObject({ code: CANCELLED });
    expect(ended["metadata"]).toMatchObject({ deploymentStage: "FAILED_TO_DEPLOY" });
    const state = await emulatorState(cloud.emulator.address);
    expect(state.endpoints[0]).toMatchObject({ deployedModels: [], deploying: [] });
    expect(state.servers).toEqual([]);
  });

  it("stops a server that is starting", async () => {
    const { body } = await cloud.deploy({ endpoint: "100", model: "sleeper" });
    await waitFor(
      "the start of a server",
      async () => (await emulatorState(cloud.emulator.address)).servers.length === 1,
      30_000,
    );

    await cancel(body.name);

    const ended = await waitForOperation(cloud.emulator.address.rest, body.name);
    expect(ended.error).toMatchObject({ code: CANCELLED });
    expect((await emulatorState(cloud.emulator.address)).servers).toEqual([]);
  });

  it("makes no version of an upload that was cancelled", async () => {
    const name = await holdNext("UploadModel", () => cloud.upload({ modelId: "never" }));

    await cancel(name);

    await waitForOperation(cloud.emulator.address.rest, name);
    expect((await cloud.call("GET", "models/never")).status).toBe(404);
  });

  it("leaves an operation that has ended as it is", async () => {
    const ended = await cloud.uploaded({ modelId: "done" });

    await cancel(ended.name);

    const { body } = await cloud.call("GET", `/v1/${ended.name}`);
    expect(body).toMatchObject({ done: true, response: { modelVersionId: "1" } });
  });
});

describe("a declared fault of an operation", () => {
  it("can hang first and then fail at a stage", async () => {
    await control(cloud.emulator.address, "DELETE", "faults");
    const fault = (await control(cloud.emulator.address, "POST", "faults", {
      ...{ method: "DeployModel", hold: true, stage: "PREPARING_MODEL" },
      ...{ status: "RESOURCE_EXHAUSTED", message: "out of it" },
    })) as { id: string };
    const { body } = await cloud.deploy({ endpoint: "100", model: "light" });
    expect((await cloud.call("GET", `/v1/${body.name}`)).body.done).not.toBe(true);

    await control(cloud.emulator.address, "DELETE", `faults?id=${fault.id}`);

    const ended = await waitForOperation(cloud.emulator.address.rest, body.name);
    expect(ended.error).toEqual({ code: 8, message: "out of it" });
  });
});

describe("a declared fault that stalls a call", () => {
  it.each([
    { when: "before", made: 404 },
    { when: "after", made: 200 },
  ] as const)("$when its work keeps the answer until it is deleted", async ({ when, made }) => {
    await control(cloud.emulator.address, "POST", "faults", {
      ...{ method: "CreateEndpoint", stall: true, when },
    });
    const id = when === "before" ? "301" : "302";
    const answer = cloud.endpoint(id);
    await waitFor("the stall", () => isHolding(cloud.emulator.address), 30_000);
    expect((await cloud.call("GET", `endpoints/${id}`)).status).toBe(made);

    await control(cloud.emulator.address, "DELETE", "faults");

    await answer;
    expect((await cloud.call("GET", `endpoints/${id}`)).status).toBe(200);
  });
});

describe("allDeploymentStates", () => {
  it("shows a model that is being deployed beside those that are, to v1beta1 only", async () => {
    await cloud.endpoint("200");
    await cloud.deployed({ endpoint: "200", model: "light", id: "1" });
    const held = await holdNext("DeployModel", () =>
      cloud.deploy({ endpoint: "200", model: "light", id: "2" }),
    );
    const path = `${PARENT}/endpoints/200`;

    const plain = await cloud.call("GET", `/v1beta1/${path}`);
    const all = await cloud.call("GET", `/v1beta1/${path}?allDeploymentStates=true`);
    const old = await cloud.call("GET", `/v1/${path}?allDeploymentStates=true`);

    expect(plain.body["deployedModels"]).toMatchObject([{ id: "1" }]);
    expect(all.body["deployedModels"]).toMatchObject([
      { id: "1", state: "DEPLOYED" },
      { id: "2", state: "BEING_DEPLOYED" },
    ]);
    expect(old.status).toBe(400);
    await cancel(held);
  });
});
