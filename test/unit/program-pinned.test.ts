import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";

import type * as Program from "../../index.ts";
import { LOAD_TIMEOUT_MS, recordProgram, valueOf } from "../support/mocks.ts";
import type { RecordedProgram } from "../support/mocks.ts";
import { enterPipelineFolder } from "../support/pipeline-folder.ts";
import type { PipelineFolder } from "../support/pipeline-folder.ts";
import { minimalConfig } from "../support/project-config.ts";

const DYNAMIC = "pulumi-nodejs:dynamic/vertex-diffusion";
const DECLARED = "sha-60d91f3e2146";
const PIN = "sha-0123456789ab";

/** A minimal stack file with a pin. */
describe("the program with a pin", () => {
  let program: RecordedProgram;
  let folder: PipelineFolder;
  let outputs: typeof Program;
  const log = jest.spyOn(console, "log").mockImplementation(() => undefined);
  const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);

  beforeAll(async () => {
    folder = enterPipelineFolder();
    program = await recordProgram("dev", {
      ...minimalConfig(folder),
      "vertex-diffusion:rollout": "canary",
      "vertex-diffusion:pin": PIN,
    });
    outputs = await import("../../index.ts");
    await valueOf(outputs.deployedModelId);
  }, LOAD_TIMEOUT_MS);

  afterAll(() => {
    log.mockRestore();
    warn.mockRestore();
    folder.remove();
  });

  it("serves the pinned version at once, and keeps the declared one", () => {
    expect(program.inputsOf("endpoint-deployment", `${DYNAMIC}:ModelDeployment`)).toMatchObject({
      versionAlias: PIN,
      declaredAlias: DECLARED,
      rollout: "surge",
    });
  });

  it("goes on to upload and register what is declared", () => {
    expect(program.inputsOf("artifact", `${DYNAMIC}:ArchiveUpload`)["digest"]).toBe(folder.digest);
    expect(program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`)["versionAlias"]).toBe(
      DECLARED,
    );
  });

  it("warns by the pin's name", () => {
    expect(warn.mock.calls.flat().filter((line) => String(line).includes("Pinned"))).toEqual([
      expect.stringMatching(new RegExp(`Pinned to ${PIN}, .*${DECLARED}`)),
    ]);
  });

  it("exports the number of the version that is served, not of the declared one", async () => {
    expect(await valueOf(outputs.model)).toBe(
      "projects/my-project/locations/us-central1/models/diffusion-dev@3",
    );
  });
});
