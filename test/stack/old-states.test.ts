import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { isEmpty, mutatingCalls } from "../support/cloud-questions.ts";
import { control } from "../support/emulator.ts";
import { StackProject } from "../support/stack-project.ts";
import { stateAndCloud } from "../support/true-state.ts";

const FOLDER = join(import.meta.dirname, "..", "fixtures", "states");

/**
 * The files, and what the first up on each does, none of it in the cloud: claims of bucket and endpoint are made that its
 * program did not have, and that of the archives learns which one is declared.
 */
const STATES = [
  { file: "first-program.json", changes: { create: 2, update: 1, same: 13 } },
  { file: "before-time-limits.json", changes: { update: 1, same: 15 } },
];

interface ExportedState {
  readonly deployment: Readonly<Record<string, unknown>>;
}

describe("a stack whose state an earlier program wrote", () => {
  let stack: StackProject;
  let values: Readonly<Record<string, string>>;

  beforeAll(async () => {
    stack = await StackProject.create({ servers: "light" });
    await stack.up();
    const archive = (await stack.resource("ArchiveUpload")).outputs;
    const deployment = (await stack.resource("ModelDeployment")).outputs;
    values = {
      uid: String(archive["stackUid"]),
      digest: String(archive["digest"]),
      crc32c: String(archive["crc32c"]),
      sizeBytes: String(archive["sizeBytes"]),
      versionAlias: String(deployment["versionAlias"]),
      deployedModelId: String(deployment["deployedModelId"]),
    };
  }, 180_000);

  afterAll(async () => {
    await stack?.remove();
  });

  /** Puts a stored state in the place of this stack's own, about the same things in the cloud. */
  async function importState(file: string): Promise<void> {
    const text = (await readFile(join(FOLDER, file), "utf8"))
      .replace('"{sizeBytes}"', values["sizeBytes"] ?? "")
      .replace(/\{(\w+)\}/g, (_whole, name: string) => values[name] ?? "");
    const state = JSON.parse(text) as ExportedState;
    const own = JSON.parse((await stack.run(["stack", "export"])).output) as ExportedState;
    // What is secret stands in the file in plain words and is encrypted by this stack's own key.
    const { manifest, secrets_providers } = own.deployment;
    const path = join(stack.root, "state.json");
    const deployment = { ...state.deployment, manifest, secrets_providers };
    await writeFile(path, JSON.stringify({ ...state, deployment }));
    const { code, output } = await stack.run(["stack", "import", "--file", path]);
    if (code !== 0) throw new Error(output);
  }

  it("is tried with every stored state", async () => {
    const stored = (await readdir(FOLDER)).filter((name) => name.endsWith(".json"));

    expect(stored.sort()).toEqual(STATES.map(({ file }) => file).sort());
  });

  it.each(STATES)(
    "goes on with $file: the next up changes nothing in the cloud, and afterwards nothing is to do",
    async ({ file, changes }) => {
      const before = await stack.cloud();
      await importState(file);
      await control(stack.emulator.address, "DELETE", "requests");

      await stack.up();

      expect(await stack.lastChanges()).toEqual(changes);
      expect(await mutatingCalls(stack.emulator.address)).toEqual([]);
      expect(await stack.cloud()).toEqual(before);
      const { state, cloud } = await stateAndCloud(stack);
      expect(state).toEqual(cloud);
      expect(await stack.preview("--expect-no-changes")).toMatch(/^ *16 unchanged$/m);
    },
    240_000,
  );

  it("leaves nothing when it is destroyed with the oldest state", async () => {
    await importState(STATES[0]?.file ?? "");

    await stack.destroy();

    expect(isEmpty(await stack.cloud())).toBe(true);
  }, 180_000);
});
