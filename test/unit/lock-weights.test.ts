import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { planArchive } from "../../components/archive-plan.ts";
import type { WeightsLock } from "../../components/weights-lock.ts";
import { lockWeights } from "../../scripts/lock/weights.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import { TENSOR_NAMES, tensorFile, writeSingleFile } from "../support/single-file.ts";

const SETTING = { weights: "models/dream.safetensors", weightsConfig: "models/sd15-config" };
const KEY = "models/dream.safetensors with models/sd15-config";
const UNET_CONFIG = "models/sd15-config/unet/config.json";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lock-weights-"));
  mkdirSync(join(root, "handler"));
  write("handler/handler.py", "def handle(data, context): ...\n");
  writeSingleFile(root, SETTING.weights, SETTING.weightsConfig);
  declare("dev", SETTING);
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string | Buffer): void {
  writeFileSync(join(root, path), content);
}

function declare(stack: string, { weights, weightsConfig }: Partial<typeof SETTING>): void {
  const lines = [
    `weights: ${weights}`,
    ...(weightsConfig ? [`weightsConfig: ${weightsConfig}`] : []),
  ];
  const keys = lines.map((line) => `  vertex-diffusion:${line}\n`).join("");
  write(`Pulumi.${stack}.yaml`, `config:\n${keys}`);
}

const lock = () => lockWeights({ root, upgrade: false }, silentReport);

function locked(): WeightsLock["weights"] {
  return (JSON.parse(readFileSync(join(root, "weights.lock.json"), "utf8")) as WeightsLock).weights;
}

const plan = () => planArchive(root, { handler: "handler", weightsIn: "archive", ...SETTING });

describe("a single-file checkpoint that is locked", () => {
  it("has every file of checkpoint and configuration in the lock, as the archive names it", async () => {
    const result = await lock();

    expect(result.problems).toEqual([]);
    expect(Object.keys(locked())).toEqual([KEY]);
    expect(locked()[KEY]?.files.map(({ path }) => path)).toEqual([
      "checkpoint.safetensors",
      "model_index.json",
      "scheduler/scheduler_config.json",
      "text_encoder/config.json",
      "tokenizer/merges.txt",
      "tokenizer/tokenizer_config.json",
      "tokenizer/vocab.json",
      "unet/config.json",
      "vae/config.json",
    ]);
    expect(
      plan()
        .entries.map(({ path }) => path)
        .slice(1, 3),
    ).toEqual(["weights/checkpoint.safetensors", "weights/model_index.json"]);
  });

  it("is planned from the lock alone where nothing of it lies here, and stays locked", async () => {
    await lock();
    const before = plan().digest;

    rmSync(join(root, "models"), { recursive: true });

    expect(plan().digest).toBe(before);
    expect(await lock()).toMatchObject({ changed: false, problems: [] });
  });

  it.each([
    { changed: SETTING.weights, content: tensorFile(TENSOR_NAMES, 1) },
    { changed: UNET_CONFIG, content: `{"sample_size":8}` },
  ])(
    "refuses $changed when it is changed, until it is locked again",
    async ({ changed, content }) => {
      await lock();
      const before = plan().digest;
      write(changed, content);

      expect(plan).toThrow(
        `the weights are not what weights.lock.json says: "${changed}" has other content. Run "npm run lock" and commit weights.lock.json if that is meant, else put the files back.`,
      );
      await lock();
      expect(plan().digest).not.toBe(before);
    },
  );

  it("keeps the checkpoint that it knows when only the configuration lies here, and locks that anew", async () => {
    await lock();
    const [checkpoint] = locked()[KEY]!.files;
    rmSync(join(root, SETTING.weights));
    write(UNET_CONFIG, `{"sample_size":8}`);

    const result = await lock();

    expect([result.changed, result.problems]).toEqual([true, []]);
    expect(locked()[KEY]!.files[0]).toEqual(checkpoint);
    expect(plan).not.toThrow();
  });

  it("is locked for each configuration by itself", async () => {
    const other = { ...SETTING, weightsConfig: "models/other-config" };
    writeSingleFile(root, other.weights, other.weightsConfig);
    declare("prod", other);

    await lock();

    expect(Object.keys(locked())).toEqual(
      [KEY, "models/dream.safetensors with models/other-config"].toSorted(),
    );
  });

  it("stays unlocked where it is not here and was never locked", async () => {
    rmSync(join(root, SETTING.weights));

    const result = await lock();

    expect(result).toMatchObject({
      problems: [],
      summary: expect.stringContaining(`"${SETTING.weights}" is not here and stays unlocked`),
    });
    expect(locked()).toEqual({});
    expect(plan).toThrow(`the file "${SETTING.weights}" does not exist.`);
  });

  it.each([
    {
      what: "a checkpoint without its configuration",
      setting: { weights: SETTING.weights },
      says: `"models/dream.safetensors" can't be locked: "models/dream.safetensors" holds tensors alone.`,
    },
    {
      what: "a pickle",
      setting: { ...SETTING, weights: "models/dream.ckpt" },
      says: `"models/dream.ckpt with models/sd15-config" can't be locked: "models/dream.ckpt" is a pickle`,
    },
    {
      what: "a configuration that is not there",
      setting: { ...SETTING, weightsConfig: "nowhere" },
      says: `"models/dream.safetensors with nowhere" can't be locked: the folder "nowhere" can't be read: it does not exist.`,
    },
  ])("names $what among the problems", async ({ setting, says }) => {
    declare("dev", setting);

    const { problems } = await lock();

    expect(problems).toEqual([expect.stringContaining(says)]);
  });

  it("refuses a preview of what is not locked", () => {
    expect(plan).toThrow(
      `"models/dream.safetensors" with "models/sd15-config" is not in weights.lock.json. Run "npm run lock" and commit weights.lock.json.`,
    );
  });
});

describe("a single-file checkpoint in an archive", () => {
  it("makes the same archive under another name and from another folder", async () => {
    await lock();
    const before = plan().digest;
    const moved = { weights: "a.safetensors", weightsConfig: "b" };
    writeSingleFile(root, moved.weights, moved.weightsConfig);
    declare("dev", moved);
    await lock();

    const after = planArchive(root, { handler: "handler", weightsIn: "archive", ...moved });

    expect(after.digest).toBe(before);
  });

  it("stands beside it as well, named by the archive", async () => {
    await lock();

    const sources = { handler: "handler", weightsIn: "artifact", ...SETTING } as const;
    const { entries, beside } = planArchive(root, sources);

    expect(entries.map(({ path }) => path)).toEqual(["handler.py", "weights.json"]);
    expect(beside?.map(({ path, source }) => [path, source]).slice(0, 2)).toEqual([
      ["weights/checkpoint.safetensors", SETTING.weights],
      ["weights/model_index.json", "models/sd15-config/model_index.json"],
    ]);
    expect(JSON.parse(entries[1]?.text ?? "")).toMatchObject({
      files: locked()[KEY]?.files.map(({ path, size, sha256 }) => ({ path, size, sha256 })),
    });
  });
});
