import { rm } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import { FIRST_COMMIT, REPOSITORY, pipelineRepository } from "../support/hub-repository.ts";
import { startHub } from "../support/hub-server.ts";
import type { TestHub } from "../support/hub-server.ts";
import { StackProject } from "../support/stack-project.ts";

const TOKEN = "hf_secret_of_this_test";

describe("a stack whose weights are a repository on the hub", () => {
  let stack: StackProject;
  let hub: TestHub;

  beforeAll(async () => {
    hub = await startHub({
      repository: REPOSITORY,
      commits: { [FIRST_COMMIT]: pipelineRepository() },
      branches: { main: FIRST_COMMIT },
      token: TOKEN,
    });
    stack = await StackProject.create({ servers: "light" });
    stack.env["HF_ENDPOINT"] = hub.endpoint;
    stack.env["HF_TOKEN"] = TOKEN;
    stack.env["XDG_CACHE_HOME"] = join(stack.root, "cache");
    await stack.set({ weights: `hf://${REPOSITORY}` });
  }, 120_000);

  afterAll(async () => {
    await stack?.remove();
    await hub?.stop();
  });

  const largeFiles = () => hub.requests.filter(({ host }) => host === "cdn").length;

  it("is locked, previewed without a download, fetched by up, and the same without hub and cache", async () => {
    const locked = await stack.script("lock");
    const preview = await stack.run(["preview"]);
    const fetchedByPreview = largeFiles();
    const up = await stack.tryUp();
    const fetchedByUp = largeFiles();
    await hub.stop();
    await rm(join(stack.root, "cache"), { recursive: true });
    const offline = await stack.run(["preview", "--expect-no-changes"]);
    const state = await stack.run(["stack", "export"]);

    expect([locked.code, preview.code, up.code, offline.code]).toEqual([0, 0, 0, 0]);
    expect([fetchedByPreview, fetchedByUp]).toEqual([0, 2]);
    for (const { output } of [locked, preview, up, offline, state]) {
      expect(output).not.toContain(TOKEN);
    }
  }, 300_000);
});
