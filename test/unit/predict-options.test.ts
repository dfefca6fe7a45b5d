import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import {
  FLAGS,
  describeFlags,
  readRequestFields,
  toInstance,
} from "../../scripts/predict/instance-options.ts";
import { fileNameFor, pathsFor } from "../../scripts/prediction.ts";
import { PROJECT_ROOT } from "../../scripts/toolchain/project.ts";

const FIELDS = readRequestFields(PROJECT_ROOT);

describe("the options of npm run predict", () => {
  it("has one for each field of the handler's schema but the prompt", () => {
    const named = Object.values(FLAGS).map(({ field }) => field);

    expect(named.toSorted()).toEqual(
      Object.keys(FIELDS)
        .filter((name) => name !== "prompt")
        .toSorted(),
    );
  });

  it("says in its help what the schema allows", () => {
    const lines = describeFlags(FIELDS).split("\n");

    expect(lines).toHaveLength(Object.keys(FLAGS).length);
    expect(lines[1]).toMatch(/^ {2}--steps N {13}Denoising steps\. .* \(1 to 100\)$/);
    expect(lines[4]).toMatch(/\(64 to 1024, a multiple of 8\)$/);
    expect(lines[7]).toMatch(/\(dpm\+\+, euler_a, ddim, unipc\)$/);
  });

  it("makes an instance of what is given", () => {
    const folder = mkdtempSync(join(tmpdir(), "predict-options-"));
    const picture = join(folder, "start.png");
    writeFileSync(picture, "bytes");

    const instance = toInstance(
      "a red circle",
      {
        ...{ steps: "4", guidance: "2.5", seed: "0", scheduler: "ddim", full: true, json: true },
        ...{ "negative-prompt": "blurry", "init-image": picture, strength: "0.5" },
      },
      FIELDS,
    );
    rmSync(folder, { recursive: true });

    expect(instance).toEqual({
      prompt: "a red circle",
      negative_prompt: "blurry",
      num_inference_steps: 4,
      guidance_scale: 2.5,
      seed: 0,
      scheduler: "ddim",
      init_image: Buffer.from("bytes").toString("base64"),
      strength: 0.5,
      output: "full",
    });
  });

  it.each([
    { option: "steps", value: "0", why: 'must be a whole number, 1 to 100, got "0"' },
    { option: "steps", value: "2.5", why: 'must be a whole number, 1 to 100, got "2.5"' },
    { option: "steps", value: "", why: 'must be a whole number, 1 to 100, got ""' },
    { option: "guidance", value: "31", why: 'must be a number, 1 to 30, got "31"' },
    { option: "width", value: "65", why: '64 to 1024, a multiple of 8, got "65"' },
    { option: "format", value: "gif", why: 'must be one of png, jpeg, webp, got "gif"' },
    { option: "init-image", value: "/nowhere", why: "ENOENT" },
  ])("refuses --$option $value", ({ option, value, why }) => {
    expect(() => toInstance("x", { [option]: value }, FIELDS)).toThrow(why);
  });

  it("names the file after prompt and format, and several pictures by number", () => {
    expect(fileNameFor("A red circle!", "webp")).toBe("a-red-circle.webp");
    expect(fileNameFor("?")).toBe("picture.png");
    expect(pathsFor("out/a.png", 1)).toEqual(["out/a.png"]);
    expect(pathsFor("out/a.png", 2)).toEqual(["out/a-1.png", "out/a-2.png"]);
  });
});
