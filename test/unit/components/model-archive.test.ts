import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";

import { planArchive } from "../../../components/archive-plan.ts";
import { ModelArchive } from "../../../components/model-archive.ts";
import { SettingsError } from "../../../components/settings.ts";
import { recordProgram, valueOf } from "../../support/mocks.ts";
import { makePipelineFolder } from "../../support/pipeline-folder.ts";
import type { PipelineFolder } from "../../support/pipeline-folder.ts";

const PROJECT = process.cwd();

/** In a folder of its own, because the plan is written below the current one. */
describe("ModelArchive", () => {
  let root: string;
  let sources: PipelineFolder;

  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "model-archive-")));
    process.chdir(root);
    sources = makePipelineFolder();
  });

  afterEach(() => {
    process.chdir(PROJECT);
    sources.remove();
    rmSync(root, { recursive: true });
  });

  it("writes nothing in preview", async () => {
    await recordProgram("dev", {}, { preview: true });

    const archive = new ModelArchive("archive", sources);
    await valueOf(archive.urn);

    expect(archive.digest).toBe(sources.digest);
    expect(existsSync(join(root, ".local"))).toBe(false);
  });

  it("writes the plan that the upload reads during up", async () => {
    await recordProgram("dev", {}, { preview: false });

    const archive = new ModelArchive("archive", sources);
    await valueOf(archive.urn);

    expect(archive.planPath).toBe(`.local/plans/${sources.digest}.json`);
    expect(JSON.parse(readFileSync(join(root, archive.planPath), "utf8"))).toEqual(
      planArchive(root, sources),
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
