import { describe, expect, it } from "@jest/globals";

import { ArchiveSourceError } from "../../../components/source-folder.ts";
import { parseWeights, weightsKey } from "../../../components/weights-source.ts";

describe("parseWeights", () => {
  it.each([
    { weights: "models/sd", is: { kind: "folder", folder: "models/sd" } },
    {
      weights: "hf://some-one/sd.v1_5",
      is: { kind: "hub", repository: "some-one/sd.v1_5", revision: null },
    },
    {
      weights: "hf://o/n@refs/pr/1",
      is: { kind: "hub", repository: "o/n", revision: "refs/pr/1" },
    },
    { weights: "gs://my-models", is: { kind: "gs", bucket: "my-models", folder: "" } },
    { weights: "gs://my-models/a/b c/", is: { kind: "gs", bucket: "my-models", folder: "a/b c" } },
  ])("reads $weights", ({ weights, is }) => {
    expect(parseWeights(weights)).toEqual(is);
  });

  it.each(["hf://o", "hf://o/n/m", "hf://o/n@", "hf://o/n@a b", "gs://", "s3://bucket/folder"])(
    "refuses %s with the addresses that there are",
    (weights) => {
      expect(() => parseWeights(weights)).toThrow(ArchiveSourceError);
      expect(() => parseWeights(weights)).toThrow(
        `"${weights}" is no address of weights. Name a folder beside Pulumi.yaml, "hf://OWNER/NAME@REVISION" or "gs://BUCKET/FOLDER".`,
      );
    },
  );
});

describe("weightsKey", () => {
  it.each([
    { weights: "./weights/", key: "weights" },
    { weights: "hf://o/n@main", key: "hf://o/n@main" },
    { weights: "gs://b/f/", key: "gs://b/f" },
  ])("is $key for $weights", ({ weights, key }) => {
    expect(weightsKey(weights)).toBe(key);
  });
});
