import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { ensureTinyPipeline } from "../../scripts/local/tiny-pipeline.ts";
import { TINY_WEIGHTS } from "../../scripts/local/stack-files.ts";
import { predict } from "../../scripts/prediction.ts";
import { PROJECT_ROOT } from "../../scripts/toolchain/project.ts";
import { findPython } from "../../scripts/toolchain/python-env.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import { StackProject } from "../support/stack-project.ts";

describe("the product's own handler and pipeline on a stack", () => {
  let stack: StackProject;

  beforeAll(async () => {
    stack = await StackProject.create({ handler: "real" });
    await ensureTinyPipeline((await findPython(silentReport)).python, silentReport);
    await cp(join(PROJECT_ROOT, TINY_WEIGHTS), join(stack.root, "weights"), { recursive: true });
    await stack.up();
  }, 300_000);

  afterAll(async () => {
    await stack?.destroy();
    await stack?.remove();
  }, 120_000);

  it("answers a prompt with a picture that decodes, the same for the same seed", async () => {
    const url = await outputOf("predictUrl");
    const instance = { prompt: "a red circle", num_inference_steps: 4, seed: 7 };

    const picture = await predict(url, instance);
    const again = await predict(url, instance);
    const other = await predict(url, { ...instance, seed: 8 });

    expect(decodePng(picture)).toEqual({ width: 64, height: 64, bytes: 64 * (64 * 3 + 1) });
    expect(again.equals(picture)).toBe(true);
    expect(other.equals(picture)).toBe(false);
  }, 120_000);

  it("says which field of a bad instance is wrong", async () => {
    const url = await outputOf("predictUrl");

    await expect(predict(url, { prompt: "a red circle", width: 65 })).rejects.toThrow(/width/);
  }, 60_000);

  async function outputOf(name: string): Promise<string> {
    const { output } = await stack.run(["stack", "output", name]);
    return output.trim();
  }
});

/** Size of a PNG and of its inflated rows: a truncated or empty picture throws. */
function decodePng(png: Buffer): { width: number; height: number; bytes: number } {
  expect(png.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    if (type === "IDAT") parts.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  return {
    width: png.readUInt32BE(16),
    height: png.readUInt32BE(20),
    bytes: inflateSync(Buffer.concat(parts)).length,
  };
}
