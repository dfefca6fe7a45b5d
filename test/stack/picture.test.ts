import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { predict } from "../../scripts/prediction.ts";
import { PROJECT_ROOT } from "../../scripts/toolchain/project.ts";
import { findPython } from "../../scripts/toolchain/python-env.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import { predictDuring } from "../support/steady-load.ts";
import { StackProject } from "../support/stack-project.ts";

/** Reads a picture and names what it shows, by geometry: the judge of the demo model's training. */
const JUDGE = `
import sys
import numpy
from PIL import Image
from demo_model.judge import judge

verdict = judge(numpy.asarray(Image.open(sys.stdin.buffer).convert("RGB")))
print(verdict.colour, verdict.shape)
`;

describe("the product's own handler and demo model on a stack", () => {
  let stack: StackProject;
  let python: string;

  beforeAll(async () => {
    stack = await StackProject.create({ handler: "real" });
    python = (await findPython(silentReport)).python;
  }, 300_000);

  afterAll(async () => {
    await stack?.destroy();
    await stack?.remove();
  }, 120_000);

  it("previews without a wheel at hand, and says in up which one it could not fetch", async () => {
    const cutOff = {
      ...stack.env,
      XDG_CACHE_HOME: join(stack.root, "empty-cache"),
      UV_DEFAULT_INDEX: "http://127.0.0.1:9/simple",
      VERTEX_DIFFUSION_PATIENCE_MS: "1000",
    };

    const preview = await stack.run(["preview"], cutOff);
    const up = await stack.run(["up", "--yes", "--skip-preview"], cutOff);

    expect(preview.output).toMatch(/ArchiveUpload .*create/);
    expect(preview.code).toBe(0);
    expect(up.output).toMatch(
      /Could not fetch the Python package ".*\.whl" from "http:\/\/127\.0\.0\.1:9": .*UV_DEFAULT_INDEX/,
    );
    expect(up.code).not.toBe(0);
  }, 120_000);

  it("comes up with what its archive brings and the image's torch", async () => {
    await stack.up();

    expect(await serverLog()).toMatch(
      /Packages: \d+ wheels in the archive, \d+ used for Python 3\.11 from /,
    );
  }, 300_000);

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

  it.each([{ drawn: "red circle" }, { drawn: "blue square" }, { drawn: "green triangle" }])(
    "draws a $drawn when it is asked for one",
    async ({ drawn }) => {
      const url = await outputOf("predictUrl");

      const picture = await predict(url, {
        prompt: `a ${drawn}`,
        num_inference_steps: 20,
        seed: 1,
      });

      expect(judgePicture(picture)).toBe(drawn);
    },
    120_000,
  );

  it("says which field of a bad instance is wrong", async () => {
    const url = await outputOf("predictUrl");

    await expect(predict(url, { prompt: "a red circle", width: 65 })).rejects.toThrow(/width/);
  }, 60_000);

  it("draws the same when the weights stand beside the archive, which then is under 50 MB", async () => {
    const instance = { prompt: "a red circle", num_inference_steps: 4, seed: 7 };
    const packed = await predict(await outputOf("predictUrl"), instance);

    await stack.set({ weightsIn: "artifact" });
    await stack.up();

    expect(await serverLog()).toMatch(/Weights: 12 files, 7\.3 MB, fetched from gs:\/\//);
    expect(Number(await outputOf("archiveSizeBytes"))).toBeLessThan(50e6);
    expect((await predict(await outputOf("predictUrl"), instance)).equals(packed)).toBe(true);
  }, 300_000);

  it("goes over to the custom container and back while predictions run, and loses none", async () => {
    const instance = { prompt: "a red circle", num_inference_steps: 4, seed: 7 };
    const { rest } = stack.emulator.address;
    const endpoint = await outputOf("endpoint");
    const drawnByTorchServe = await predict(await outputOf("predictUrl"), instance);
    const rollOut = (container: "prebuilt" | "custom") =>
      predictDuring(
        { rest, endpoint },
        async () => {
          await stack.set({ container });
          await stack.up();
        },
        { workers: 2, instance },
      );

    const there = await rollOut("custom");
    const drawnByCustom = await predict(await outputOf("predictUrl"), instance);
    const log = await serverLog();
    const back = await rollOut("prebuilt");

    expect([there.failures, back.failures]).toEqual([[], []]);
    // Both versions answered, each its part; going back finds the version that was there.
    expect(Object.keys(there.answers)).toHaveLength(2);
    expect(Object.keys(back.answers).sort()).toEqual(Object.keys(there.answers).sort());
    // A line of the custom container's server.
    expect(log).toMatch(/INFO Call: 200 in /);
    expect(drawnByCustom.equals(drawnByTorchServe)).toBe(true);
  }, 600_000);

  async function serverLog(): Promise<string> {
    const id = await outputOf("deployedModelId");
    const url = `${stack.emulator.address.rest}/_emulator/logs/${id}`;
    return (await fetch(url)).text();
  }

  function judgePicture(picture: Buffer): string {
    const env = { ...process.env, PYTHONPATH: join(PROJECT_ROOT, "scripts") };
    return execFileSync(python, ["-c", JUDGE], { input: picture, env, encoding: "utf8" }).trim();
  }

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
