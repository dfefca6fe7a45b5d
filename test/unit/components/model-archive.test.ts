import { existsSync, readFileSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";

import { planArchive } from "../../../components/archive-plan.ts";
import { ModelArchive } from "../../../components/model-archive.ts";
import { SettingsError } from "../../../components/settings.ts";
import { recordProgram, valueOf } from "../../support/mocks.ts";
import { enterPipelineFolder } from "../../support/pipeline-folder.ts";
import type { PipelineFolder } from "../../support/pipeline-folder.ts";

/** In a folder of its own, because the plan is written below the current one. */
describe("ModelArchive", () => {
  let sources: PipelineFolder;

  beforeEach(() => {
    sources = enterPipelineFolder();
  });

  afterEach(() => {
    sources.remove();
  });

  it("writes nothing in preview", async () => {
    await recordProgram("dev", {}, { preview: true });

    const archive = new ModelArchive("archive", sources);
    await valueOf(archive.urn);

    expect(archive.digest).toBe(sources.digest);
    expect(existsSync(".local")).toBe(false);
  });

  it("writes the plan that the upload reads during up", async () => {
    await recordProgram("dev", {}, { preview: false });

    const archive = new ModelArchive("archive", sources);
    await valueOf(archive.urn);

    expect(archive.planPath).toBe(`.local/plans/${sources.digest}.json`);
    expect(JSON.parse(readFileSync(archive.planPath, "utf8"))).toEqual(
      planArchive(process.cwd(), sources),
    );
  });

  it.each([
    { setting: "handler", problem: "does not exist" },
    { setting: "weights", problem: "does not exist" },
  ])(
    "refuses a missing $setting folder by its setting, without a stack trace",
    async ({ setting, problem }) => {
      await recordProgram("dev", {}, { preview: true });

      const declare = () => new ModelArchive("archive", { ...sources, [setting]: "nowhere" });

      expect(declare).toThrow(SettingsError);
      expect(declare).toThrow(
        `vertex-diffusion:${setting}: the folder "nowhere" can't be read: it ${problem}.`,
      );
      expect(() => declare()).toThrow(pulumi.RunError);
    },
  );
});
