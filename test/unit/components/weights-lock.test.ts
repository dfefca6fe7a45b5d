import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { FileHashes } from "../../../components/file-hashes.ts";
import { lockedWeights } from "../../../components/weights-lock.ts";
import { weightsKey } from "../../../components/weights-source.ts";
import { writeLock } from "../../support/pipeline-folder.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "weights-lock-"));
  write("sd/model_index.json", "{}");
  write("sd/tokenizer/vocab.json", "{}");
  write("sd/tokenizer/merges.txt", "a b");
  writeLock(root, "sd");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

function locked(weights = "sd") {
  return lockedWeights(root, { weights }, new FileHashes(join(root, "hashes.json")));
}

describe("lockedWeights", () => {
  it("answers the locked files with their checksums where the folder is as it was locked", () => {
    expect(locked().map(({ path, size }) => [path, size])).toEqual([
      ["model_index.json", 2],
      ["tokenizer/merges.txt", 3],
      ["tokenizer/vocab.json", 2],
    ]);
    expect(locked().every(({ crc32 }) => crc32 !== undefined)).toBe(true);
  });

  it.each(["sd", "./sd", "sd/", "other/../sd"])("finds %s under one name", (weights) => {
    mkdirSync(join(root, "other"));

    expect(locked(weights)).toHaveLength(3);
    expect(weightsKey({ weights })).toBe("sd");
  });

  it("needs no folder", () => {
    rmSync(join(root, "sd"), { recursive: true });

    expect(locked().map(({ path }) => path)).toEqual([
      "model_index.json",
      "tokenizer/merges.txt",
      "tokenizer/vocab.json",
    ]);
    expect(existsSync(join(root, "sd"))).toBe(false);
  });

  it.each([
    {
      change: () => write("sd/tokenizer/merges.txt", "b a"),
      says: `"tokenizer/merges.txt" has other content`,
    },
    {
      change: () => rmSync(join(root, "sd/tokenizer/vocab.json")),
      says: `"tokenizer/vocab.json" is missing`,
    },
    { change: () => write("sd/tokenizer/new.json", "{}"), says: `"tokenizer/new.json" is new` },
    {
      change: () => {
        write("sd/a.json", "{}");
        write("sd/tokenizer/vocab.json", "[]");
        write("sd/tokenizer/merges.txt", "b a");
      },
      says: `"a.json" is new, and 2 more`,
    },
  ])("refuses a folder that differs: $says", ({ change, says }) => {
    change();

    expect(() => locked()).toThrow(
      `the folder "sd" is not what weights.lock.json says: ${says}. Run "npm run lock" and commit weights.lock.json if that is meant, else put the files back.`,
    );
  });

  it("refuses weights that are not locked", () => {
    write("other/model_index.json", "{}");

    expect(() => locked("other")).toThrow(
      `"other" is not in weights.lock.json. Run "npm run lock" and commit weights.lock.json.`,
    );
  });

  it("refuses a folder that is neither locked nor there", () => {
    expect(() => locked("nowhere")).toThrow(
      `the folder "nowhere" can't be read: it does not exist. Name a folder beside Pulumi.yaml.`,
    );
  });

  it.each([
    { text: "<<<<<<< HEAD", why: "Unexpected token" },
    { text: '{"schema": 2, "weights": {}}', why: "it is of another schema than 1" },
    { text: '{"schema": 1}', why: "it is of another schema than 1" },
  ])("refuses a lock that it can't read ($text)", ({ text, why }) => {
    write("weights.lock.json", text);

    expect(() => locked()).toThrow(`weights.lock.json can't be read: ${why}`);
    expect(() => locked()).toThrow(
      `Take it from version control, or delete it and run "npm run lock".`,
    );
  });
});
