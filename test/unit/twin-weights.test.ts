import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { twinWeights } from "../../scripts/local/twin-weights.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "twin-weights-"));
  writeFileSync(join(root, "Pulumi.yaml"), "config:\n  weights:\n    default: hf://o/default\n");
  writeFileSync(
    join(root, "weights.lock.json"),
    `{"schema":1,"weights":{"hf://o/locked":{"files":[]}}}`,
  );
  mkdirSync(join(root, "here"));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

describe("twinWeights", () => {
  it.each([
    { declared: "here", weights: "here" },
    { declared: "hf://o/locked", weights: "hf://o/locked" },
    { declared: "nowhere", weights: "handler/demo-model", why: `"nowhere" is not there` },
    {
      declared: "hf://o/unlocked",
      weights: "handler/demo-model",
      why: `"hf://o/unlocked" is not in weights.lock.json`,
    },
  ])("takes $weights for $declared", async ({ declared, ...expected }) => {
    expect(await twinWeights(root, { weights: declared })).toEqual(expected);
  });

  it("takes the default for a stack file that names none", async () => {
    expect(await twinWeights(root, {})).toEqual({
      weights: "handler/demo-model",
      why: `"hf://o/default" is not in weights.lock.json`,
    });
  });

  it.each([
    { missing: "nothing", weights: "a.safetensors", weightsConfig: "here" },
    { missing: "the file", weights: "b.safetensors", weightsConfig: "here" },
    { missing: "the configuration", weights: "a.safetensors", weightsConfig: "nowhere" },
  ])("takes a single file only with its configuration: $missing is missing", async (setting) => {
    const { missing, ...declared } = setting;
    writeFileSync(join(root, "a.safetensors"), "");
    const place = missing === "the file" ? declared.weights : declared.weightsConfig;

    expect(await twinWeights(root, declared)).toEqual(
      missing === "nothing"
        ? declared
        : { weights: "handler/demo-model", why: `"${place}" is not there` },
    );
  });
});
