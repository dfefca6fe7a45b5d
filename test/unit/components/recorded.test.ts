import { describe, expect, it } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { readRecordedState } from "../../../components/recorded.ts";
import { LOAD_TIMEOUT_MS } from "../../support/mocks.ts";

const BUCKET = "gcp:storage/bucket:Bucket";
const URN = `urn:pulumi:dev::vertex-diffusion::vertex-diffusion:index:ModelBucket$${BUCKET}::bucket`;

describe("a resource of the engine's state", () => {
  /** An engine whose state can't be read so many times, as while it is written. */
  async function engineThatFails(times: number): Promise<void> {
    let reads = 0;
    await pulumi.runtime.setMocks(
      {
        newResource: ({ name, inputs }) => ({ id: name, state: inputs as object }),
        call: () => {
          reads += 1;
          if (reads <= times) throw new Error("failed to load checkpoint: EOF");
          return { outputs: { [URN]: { outputs: { name: "my-bucket" } } } };
        },
      },
      "vertex-diffusion",
      "dev",
      false,
      "my-org",
    );
  }

  it(
    "is told by type and name",
    async () => {
      await engineThatFails(0);

      const recorded = await readRecordedState();

      expect(recorded.has(BUCKET, "bucket")).toBe(true);
      expect(recorded.has(BUCKET, "other")).toBe(false);
      expect(recorded.has("gcp:vertex/aiEndpoint:AiEndpoint", "bucket")).toBe(false);
    },
    LOAD_TIMEOUT_MS,
  );

  it(
    "is read again when the engine is just writing its state",
    async () => {
      await engineThatFails(2);

      expect((await readRecordedState()).has(BUCKET, "bucket")).toBe(true);
    },
    LOAD_TIMEOUT_MS,
  );

  it(
    "is answered with its outputs, also when the engine was just writing; undefined where there is none",
    async () => {
      await engineThatFails(2);

      const recorded = await readRecordedState();

      expect(recorded.outputsOf(BUCKET, "bucket")).toEqual({ name: "my-bucket" });
      expect(recorded.outputsOf(BUCKET, "other")).toBeUndefined();
    },
    LOAD_TIMEOUT_MS,
  );
});
