import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { putObject } from "../support/bucket.ts";
import { startLightCloud } from "../support/light-cloud.ts";
import type { LightCloud } from "../support/light-cloud.ts";

jest.setTimeout(60_000);

let cloud: LightCloud;

beforeAll(async () => {
  cloud = await startLightCloud();
  await cloud.endpoint("100");
});

afterAll(() => cloud.stop());

/** The variables that the container of a model sees. The light server answers them at this route. */
async function environmentOf(model: string): Promise<Record<string, string>> {
  await cloud.deployed({ endpoint: "100", model, id: "7", trafficSplit: { 0: 100 } });
  const { body } = await cloud.call("POST", "endpoints/100:predict", { instances: [1] });
  await cloud.operation("POST", "endpoints/100:undeployModel", { deployedModelId: "7" });
  return (body["predictions"] as Record<string, string>[])[0] ?? {};
}

async function managedObjects(prefix: string): Promise<unknown[]> {
  const bucket = `${cloud.emulator.address.rest}/storage/v1/b/caip-tenant-local`;
  const listed = (await (await fetch(`${bucket}/o?prefix=${prefix}`)).json()) as { items?: [] };
  return listed.items ?? [];
}

describe("a container", () => {
  it("gets the variables of the contract, and its own with references resolved", async () => {
    await cloud.uploaded({
      modelId: "all",
      container: {
        predictRoute: "/environment",
        ports: [{ containerPort: 7080 }, { containerPort: 7081 }],
        env: [
          { name: "ROUTE", value: "$(AIP_PREDICT_ROUTE)" },
          { name: "TWICE", value: "$(ROUTE)$(ROUTE)" },
          { name: "PLAIN", value: "$$(ROUTE) $(UNKNOWN)" },
        ],
      },
    });

    const env = await environmentOf("all");

    expect(env).toMatchObject({
      AIP_HTTP_PORT: "7080",
      AIP_HEALTH_ROUTE: "/ping",
      AIP_PREDICT_ROUTE: "/environment",
      AIP_STORAGE_URI: expect.stringMatching(
        /^gs:\/\/caip-tenant-local\/.+\/artifacts$/,
      ) as unknown,
      AIP_MODE: "PREDICTION",
      AIP_MODE_VERSION: "1.0.0",
      AIP_ENDPOINT_ID: "100",
      AIP_MODEL_NAME: "100",
      AIP_DEPLOYED_MODEL_ID: "7",
      AIP_VERSION_NAME: "7",
      AIP_PROJECT_NUMBER: expect.stringMatching(/^\d+$/) as unknown,
      AIP_FRAMEWORK: "CUSTOM_CONTAINER",
      AIP_MACHINE_TYPE: "g2-standard-4",
      AIP_ACCELERATOR_TYPE: "NVIDIA_L4",
      ROUTE: "/environment",
      TWICE: "/environment/environment",
      PLAIN: "$(ROUTE) $(UNKNOWN)",
    });
  });

  it("finds the artifacts as they were at upload under AIP_STORAGE_URI, and nobody may write there", async () => {
    const { rest } = cloud.emulator.address;
    await putObject(rest, "light-bucket", "copied/model.mar", "an archive");
    await putObject(rest, "light-bucket", "copied/weights/unet.bin", "as uploaded");
    await cloud.uploaded({
      modelId: "copied",
      container: { predictRoute: "/environment" },
      model: { artifactUri: "gs://light-bucket/copied" },
    });
    await putObject(rest, "light-bucket", "copied/weights/unet.bin", "changed since");

    const env = await environmentOf("copied");

    const [, bucket, prefix] = /^gs:\/\/([^/]+)\/(.+)$/.exec(env["AIP_STORAGE_URI"] ?? "") ?? [];
    const name = encodeURIComponent(`${prefix}/weights/unet.bin`);
    const object = `${env["STORAGE_EMULATOR_HOST"]}/storage/v1/b/${bucket}/o/${name}`;
    expect(await (await fetch(`${object}?alt=media`)).text()).toBe("as uploaded");
    expect((await fetch(object, { method: "DELETE" })).status).toBe(403);
  });

  it("loses its artifacts when its model is deleted", async () => {
    await cloud.uploaded({ modelId: "gone", container: { predictRoute: "/environment" } });
    const env = await environmentOf("gone");

    await cloud.operation("DELETE", "models/gone");

    const prefix = env["AIP_STORAGE_URI"]?.replace("gs://caip-tenant-local/", "") ?? "";
    expect(prefix).not.toBe("");
    expect(await managedObjects(prefix)).toEqual([]);
  });

  it("leaves no copy behind when the emulator was killed before the version was recorded", async () => {
    await cloud.uploaded({ modelId: "lost" });
    const before = await managedObjects("");
    const records = join(cloud.emulator.address.data, "vertex", "models");
    const [record = ""] = readdirSync(records).filter((name) => name.includes("lost"));

    // The copy is made first and the record after it: without the record it is as if killed between the two.
    rmSync(join(records, record));
    await cloud.emulator.restart();

    expect(await managedObjects("")).toHaveLength(before.length - 1);
  });
});
