import { describe, expect, it } from "@jest/globals";

import { DYNAMIC, valueOf } from "../support/mocks.ts";
import { minimalConfig } from "../support/project-config.ts";
import { useRecordedProgram } from "../support/recorded-program.ts";

const DECLARED = "sha-60d91f3e2146";
const PIN = "sha-0123456789ab";

/** A minimal stack file with a pin. */
describe("the program with a pin", () => {
  const program = useRecordedProgram("dev", (folder) => ({
    ...minimalConfig(folder),
    "vertex-diffusion:rollout": "canary",
    "vertex-diffusion:pin": PIN,
  }));

  it("serves the pinned version at once, and keeps the declared one", () => {
    expect(program.inputsOf("endpoint-deployment", `${DYNAMIC}:ModelDeployment`)).toMatchObject({
      versionAlias: PIN,
      declaredAlias: DECLARED,
      rollout: "surge",
    });
  });

  it("goes on to upload and register what is declared", () => {
    expect(program.inputsOf("artifact", `${DYNAMIC}:ArchiveUpload`)["digest"]).toBe(
      program.folder.digest,
    );
    expect(program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`)["versionAlias"]).toBe(
      DECLARED,
    );
  });

  it("warns by the pin's name", () => {
    expect(
      program.warn.mock.calls.flat().filter((line) => String(line).includes("Pinned")),
    ).toEqual([expect.stringMatching(new RegExp(`Pinned to ${PIN}, .*${DECLARED}`))]);
  });

  it("exports the number of the version that is served, not of the declared one", async () => {
    expect(await valueOf(program.outputs.model)).toBe(
      "projects/my-project/locations/us-central1/models/diffusion-dev@3",
    );
  });
});
