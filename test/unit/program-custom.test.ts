import { mkdirSync, writeFileSync } from "node:fs";

import { describe, expect, it } from "@jest/globals";

import { contentTagOf } from "../../components/container-image.ts";
import { DYNAMIC } from "../support/mocks.ts";
import { minimalConfig } from "../support/project-config.ts";
import { useRecordedProgram } from "../support/recorded-program.ts";

const REPOSITORY = "gcp:artifactregistry/repository:Repository";

/** What the engine is told; that Docker builds it is not shown by this. */
describe("the program with a custom container that it builds", () => {
  const program = useRecordedProgram("dev", (folder) => {
    mkdirSync("handler/container");
    writeFileSync("handler/Dockerfile", "FROM python@sha256:0\n");
    writeFileSync("handler/container/server.py", "x = 1\n");
    return {
      ...minimalConfig(folder),
      "vertex-diffusion:container": "custom",
      "vertex-diffusion:protect": "true",
    };
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
    expect(program.warn).not.toHaveBeenCalled();
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
