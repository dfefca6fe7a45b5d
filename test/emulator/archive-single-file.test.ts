import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";

import { planArchive } from "../../components/archive-plan.ts";
import type { WeightsSetting } from "../../components/weights-source.ts";
import { ServerPool } from "../../emulator/runtime/server-pool.ts";
import { buildArchive } from "../../providers/archive.ts";
import { lockWeights } from "../../scripts/lock/weights.ts";
import { unpackHandlerPackages } from "../../scripts/toolchain/handler-packages.ts";
import { PROJECT_ROOT } from "../../scripts/toolchain/project.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import { IMAGE } from "../support/light-cloud.ts";
import { jsonPayload } from "../support/runtime-scene.ts";
import { torchServePython } from "../support/torchserve-python.ts";

jest.setTimeout(240_000);

/** The tensors of a pipeline's folder in one file, as Stable Diffusion 1.x was published. */
const JOIN = `
import pathlib, sys
from safetensors.torch import save_file
from tests.original_layout import original_layout

save_file(original_layout(pathlib.Path(sys.argv[1])), sys.argv[2])
`;
const FOLDER: WeightsSetting = { weights: "parts" };
const SINGLE_FILE: WeightsSetting = { weights: "tiny.safetensors", weightsConfig: "parts" };

const project = process.cwd();
let root: string;
let pool: ServerPool;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "archive-single-file-")));
  process.chdir(root);
  const python = torchServePython();
  const { path } = await unpackHandlerPackages(python, silentReport);
  const options = { cwd: join(PROJECT_ROOT, "handler"), env: { ...process.env, PYTHONPATH: path } };
  const parts = join(root, "parts");
  execFileSync(
    python,
    [join(PROJECT_ROOT, "scripts/make-tiny-pipeline.py"), "--out", parts],
    options,
  );
  execFileSync(python, ["-c", JOIN, parts, join(root, "tiny.safetensors")], options);
  symlinkSync(join(PROJECT_ROOT, "handler"), "handler");
  pool = new ServerPool({ dataDir: join(root, "data"), python, startupTimeoutMs: 120_000 });
});

afterAll(async () => {
  await pool?.stopAll();
  process.chdir(project);
  rmSync(root, { recursive: true });
});

/** One picture by a real TorchServe with the product's handler, from the archive that `up` would send. */
async function picture(id: string, setting: WeightsSetting): Promise<string> {
  const keys = Object.entries(setting).map(
    ([key, value]) => `  vertex-diffusion:${key}: ${value}\n`,
  );
  writeFileSync("Pulumi.test.yaml", `config:\n${keys.join("")}`);
  await lockWeights({ root, upgrade: false }, silentReport);
  const plan = planArchive(root, { handler: "handler", weightsIn: "archive", ...setting });
  const archive = join(root, await buildArchive(plan, ""));
  await pool.start({
    id,
    imageUri: IMAGE,
    archive,
    env: {},
    healthRoute: "/ping",
    predictRoute: "/predictions/model",
  });
  const instance = { prompt: "a red circle", num_inference_steps: 2, seed: 7 };
  const answer = await pool.predict(id, jsonPayload({ instances: [instance] }), 60_000);
  await pool.stop(id);
  const { predictions } = JSON.parse(String(answer.body)) as { predictions: string[] };
  return predictions[0]!;
}

describe("an archive with a single-file checkpoint and its pipeline's configuration", () => {
  it("draws what the archive of the same weights in a folder draws", async () => {
    const fromFolder = await picture("folder", FOLDER);
    const fromFile = await picture("file", SINGLE_FILE);

    expect(Buffer.from(fromFolder, "base64").subarray(1, 4).toString()).toBe("PNG");
    expect(fromFile).toBe(fromFolder);
  });
});
