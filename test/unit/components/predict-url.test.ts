import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { predictUrlOf } from "../../../components/predict-url.ts";
import { makeSettings } from "../../support/settings.ts";

const ENDPOINT = "projects/my-project/locations/us-central1/endpoints/616289267";

describe("predictUrlOf", () => {
  let given: string | undefined;
  let folder: string;

  beforeEach(() => {
    given = process.env.VERTEX_DIFFUSION_EMULATOR;
    folder = mkdtempSync(join(tmpdir(), "predict-url-"));
  });

  afterEach(() => {
    if (given === undefined) delete process.env.VERTEX_DIFFUSION_EMULATOR;
    else process.env.VERTEX_DIFFUSION_EMULATOR = given;
    rmSync(folder, { recursive: true });
  });

  it.each([
    {
      kind: "a shared endpoint",
      dns: "",
      url: `https://us-central1-aiplatform.googleapis.com/v1/${ENDPOINT}:predict`,
    },
    {
      kind: "a dedicated endpoint",
      dns: "616289267.us-central1-123.prediction.vertexai.goog",
      url: `https://616289267.us-central1-123.prediction.vertexai.goog/v1/${ENDPOINT}:predict`,
    },
    {
      kind: "a dedicated endpoint whose name comes with its scheme",
      dns: "https://616289267.us-central1-123.prediction.vertexai.goog",
      url: `https://616289267.us-central1-123.prediction.vertexai.goog/v1/${ENDPOINT}:predict`,
    },
  ])("$kind answers at its own host", ({ dns, url }) => {
    expect(predictUrlOf(makeSettings(), ENDPOINT, dns)).toBe(url);
  });

  it("a local stack answers at the emulator that wrote the address file", () => {
    const file = join(folder, "address.json");
    writeFileSync(file, JSON.stringify({ rest: "http://127.0.0.1:9085", grpc: "127.0.0.1:9086" }));
    process.env.VERTEX_DIFFUSION_EMULATOR = file;

    const url = predictUrlOf(makeSettings({ emulator: true }), ENDPOINT, "");

    expect(url).toBe(`http://127.0.0.1:9085/v1/${ENDPOINT}:predict`);
  });

  it("a local stack answers at the emulator whose address the variable gives", () => {
    process.env.VERTEX_DIFFUSION_EMULATOR = "http://127.0.0.1:9085/";

    const url = predictUrlOf(makeSettings({ emulator: true }), ENDPOINT, "");

    expect(url).toBe(`http://127.0.0.1:9085/v1/${ENDPOINT}:predict`);
  });

  it("a local stack without a running emulator names the default port", () => {
    process.env.VERTEX_DIFFUSION_EMULATOR = join(folder, "nothing.json");

    const url = predictUrlOf(makeSettings({ emulator: true }), ENDPOINT, "");

    expect(url).toBe(`http://127.0.0.1:8085/v1/${ENDPOINT}:predict`);
  });
});
