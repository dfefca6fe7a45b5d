import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import { planArchive } from "../../components/archive-plan.ts";
import type { WeightsLock } from "../../components/weights-lock.ts";
import type { ArchiveEntry } from "../../providers/archive-plan.ts";
import { fetchWeights } from "../../providers/weights-fetch.ts";
import { lockWeights } from "../../scripts/lock/weights.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import { makeBucket, putObject } from "../support/bucket.ts";
import { pipelineRepository } from "../support/hub-repository.ts";
import { sha256Of } from "../support/hub-server.ts";
import { rejectionOf, startProviderEmulator } from "../support/provider-emulator.ts";
import type { ProviderEmulator } from "../support/provider-emulator.ts";

const BUCKET = "models-of-mine";
const WEIGHTS = `gs://${BUCKET}/sd`;
const PACKED = "unet/diffusion_pytorch_model.safetensors";
const STORED = "unet/diffusion_pytorch_model.fp16.safetensors";
const PROJECT = process.cwd();
const files = pipelineRepository();

let emulator: ProviderEmulator;
let root: string;

beforeAll(async () => {
  emulator = await startProviderEmulator();
});

afterAll(async () => {
  await emulator.stop();
});

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "bucket-weights-"));
  process.chdir(root);
  process.env.XDG_CACHE_HOME = join(root, "cache");
  mkdirSync("handler");
  writeFileSync("handler/handler.py", "def handle(data, context): ...\n");
  declare(WEIGHTS);
  await makeBucket(emulator.rest, BUCKET);
  for (const [path, content] of Object.entries(files)) await put(path, content);
  await emulator.calls();
});

afterEach(async () => {
  process.chdir(PROJECT);
  delete process.env.XDG_CACHE_HOME;
  rmSync(root, { recursive: true });
  await emulator.reset();
});

const put = (path: string, content: string | Buffer) =>
  putObject(emulator.rest, BUCKET, `sd/${path}`, content);

function declare(weights: string): void {
  writeFileSync("Pulumi.dev.yaml", `config:\n  vertex-diffusion:weights: ${weights}\n`);
}

const lock = (upgrade = false) => lockWeights({ root, upgrade }, silentReport);

function lockedFiles() {
  const text = readFileSync("weights.lock.json", "utf8");
  return (JSON.parse(text) as WeightsLock).weights[WEIGHTS]?.files ?? [];
}

const generationOf = (path: string) => lockedFiles().find((file) => file.path === path)?.generation;

/** What was read, not counting model_index.json, which says what there is to read. */
async function readCalls(): Promise<number> {
  const calls = await emulator.calls();
  return calls.filter((method) => method === "storage.objects.get").length;
}

const OPTIONS = { urn: "", buildFolder: ".", buildBytes: 0, freeBytes: async () => 1e12 };

function plannedWeights(): ArchiveEntry {
  const { entries } = planArchive(root, {
    handler: "handler",
    weights: WEIGHTS,
    weightsIn: "archive",
  });
  return entries.find(({ path }) => path === `weights/${PACKED}`)!;
}

describe("weights in a folder of Cloud Storage", () => {
  it("are locked by generation, size and SHA-256: what the handler loads of them", async () => {
    const result = await lock();

    expect(result.problems).toEqual([]);
    expect(lockedFiles().map(({ path }) => path)).toEqual([
      "model_index.json",
      "scheduler/scheduler_config.json",
      "tokenizer/merges.txt",
      "tokenizer/vocab.json",
      "unet/config.json",
      PACKED,
    ]);
    expect(lockedFiles().at(-1)).toEqual({
      path: PACKED,
      from: STORED,
      generation: expect.stringMatching(/^\d+$/),
      size: Buffer.byteLength(files[STORED]!),
      sha256: sha256Of(files[STORED]!),
    });
  });

  it("stay as they are locked until --upgrade, which reads only what was written since", async () => {
    await lock();
    const before = generationOf("unet/config.json");
    await put("unet/config.json", `{"sample_size":8}`);
    await emulator.calls();

    const kept = await lock();
    const [keptGeneration, keptCalls] = [generationOf("unet/config.json"), await readCalls()];
    const upgraded = await lock(true);

    expect([kept.changed, keptGeneration, keptCalls]).toEqual([false, before, 0]);
    expect(upgraded.changed).toBe(true);
    expect(generationOf("unet/config.json")).not.toBe(before);
    // model_index.json and the one that is new.
    expect(await readCalls()).toBe(2);
  });

  it("are planned from the lock alone, and fetched by generation", async () => {
    await lock();
    await emulator.calls();

    const planned = plannedWeights();
    const calls = await emulator.calls();
    const [fetched] = await fetchWeights([planned], OPTIONS);

    const generation = generationOf(PACKED);
    expect(calls).toEqual([]);
    expect(planned.source).toBe(`gs://${BUCKET}/sd/${STORED}#${generation}`);
    expect(readFileSync(fetched!.source).equals(files[STORED] as Buffer)).toBe(true);
  });

  it("are fetched from where an earlier run stopped", async () => {
    await lock();
    const planned = plannedWeights();
    mkdirSync("cache/vertex-diffusion/weights", { recursive: true });
    const part = `cache/vertex-diffusion/weights/${planned.sha256}.${process.pid}.part`;
    writeFileSync(part, (files[STORED] as Buffer).subarray(0, 600_000));
    await emulator.calls();

    const [fetched] = await fetchWeights([planned], OPTIONS);

    expect(await readCalls()).toBe(1);
    expect(sha256Of(readFileSync(fetched!.source))).toBe(planned.sha256);
  });

  it("are not replaced by what was written there since", async () => {
    await lock();
    const planned = plannedWeights();
    await put(STORED, "other weights");

    const refused = await rejectionOf(fetchWeights([planned], OPTIONS));

    expect(refused.message).toBe(
      `Could not fetch the weights "${planned.source}": that generation of it is gone. Run "npm run lock -- --upgrade". What has arrived is kept.`,
    );
  });

  it.each([
    {
      what: "a bucket that is not there",
      weights: "gs://nowhere-at-all/sd",
      says: `"gs://nowhere-at-all/sd" can't be locked: `,
    },
    {
      what: "a folder that is no pipeline",
      weights: `gs://${BUCKET}/other`,
      says: `"gs://${BUCKET}/other" can't be locked: "gs://${BUCKET}/other" has no model_index.json, so it is no diffusers pipeline.`,
    },
  ])("are refused in one line where they are $what", async ({ weights, says }) => {
    declare(weights);

    const { problems } = await lock();

    expect(problems).toHaveLength(1);
    expect(problems?.[0]).toContain(says);
    expect(problems?.[0]).not.toContain("\n");
  });
});
