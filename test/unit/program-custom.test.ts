import { mkdirSync, writeFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";

import { contentTagOf } from "../../components/container-image.ts";
import type * as Program from "../../index.ts";
import { LOAD_TIMEOUT_MS, recordProgram, valueOf } from "../support/mocks.ts";
import type { RecordedProgram } from "../support/mocks.ts";
import { enterPipelineFolder } from "../support/pipeline-folder.ts";
import type { PipelineFolder } from "../support/pipeline-folder.ts";
import { minimalConfig } from "../support/project-config.ts";

const DYNAMIC = "pulumi-nodejs:dynamic/vertex-diffusion";
const REPOSITORY = "gcp:artifactregistry/repository:Repository";

/** What the engine is told; that Docker builds it is not shown by this. */
describe("the program with a custom container that it builds", () => {
  let program: RecordedProgram;
  let folder: PipelineFolder;
  let outputs: typeof Program;
  const log = jest.spyOn(console, "log").mockImplementation(() => undefined);
  const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);

  beforeAll(async () => {
    folder = enterPipelineFolder();
    mkdirSync("handler/container");
    writeFileSync("handler/Dockerfile", "FROM python@sha256:0\n");
    writeFileSync("handler/container/server.py", "x = 1\n");
    program = await recordProgram("dev", {
      ...minimalConfig(folder),
      "vertex-diffusion:container": "custom",
      "vertex-diffusion:protect": "true",
    });
    outputs = await import("../../index.ts");
    await valueOf(outputs.deployedModelId);
  }, LOAD_TIMEOUT_MS);

  afterAll(() => {
    log.mockRestore();
    warn.mockRestore();
    folder.remove();
  });

  it("keeps the image in a repository of its own, in the model's region, whose tags stay", () => {
    expect(program.inputsOf("image", REPOSITORY)).toMatchObject({
      project: "my-project",
      location: "us-central1",
      repositoryId: "diffusion-dev",
      format: "DOCKER",
      dockerConfig: { immutableTags: true },
    });
  });

  it("builds the handler's folder for Vertex's machines and pushes it by a tag of its content", () => {
    expect(program.inputsOf("image", "docker-build:index:Image")).toEqual({
      context: { location: "handler" },
      dockerfile: { location: "handler/Dockerfile" },
      platforms: ["linux/amd64"],
      push: true,
      tags: [
        `us-central1-docker.pkg.dev/my-project/diffusion-dev/vertex-diffusion:${contentTagOf(process.cwd(), "handler")}`,
      ],
    });
  });

  it("registers the model with that image and the server's routes", () => {
    const image = program.inputsOf("image", "docker-build:index:Image") as { tags: string[] };

    expect(program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`)["servingSpec"]).toEqual({
      image: image.tags[0],
      predictRoute: "/predict",
      healthRoute: "/health",
      ports: [8080],
      env: {},
    });
  });

  it("says nothing of the end of Google's images", () => {
    expect(warn).not.toHaveBeenCalled();
  });

  it("gives the image another tag when a file of it changes, and the same for its tests", () => {
    const before = contentTagOf(process.cwd(), "handler");
    mkdirSync("handler/tests");
    writeFileSync("handler/tests/test_server.py", "y = 1\n");
    const withTests = contentTagOf(process.cwd(), "handler");
    writeFileSync("handler/container/server.py", "x = 2\n");

    expect(withTests).toBe(before);
    expect(contentTagOf(process.cwd(), "handler")).not.toBe(before);
  });
});
