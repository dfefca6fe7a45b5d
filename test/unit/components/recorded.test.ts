import { describe, expect, it } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { isRecorded } from "../../../components/recorded.ts";
import { LOAD_TIMEOUT_MS } from "../../support/mocks.ts";

const BUCKET = "gcp:storage/bucket:Bucket";
const URN = `urn:pulumi:dev::vertex-diffusion::vertex-diffusion:index:ModelBucket$${BUCKET}::bucket`;

describe("isRecorded", () => {
  /** An engine whose state can't be read so many times, as while it is written. */
  async function engineThatFails(times: number): Promise<void> {
    let reads = 0;
    await pulumi.runtime.setMocks(
      {
        newResource: ({ name, inputs }) => ({ id: name, state: inputs as object }),
        call: () => {
          reads += 1;
          if (reads <= times) throw new Error("failed to load checkpoint: EOF");
          return { outputs: { [URN]: {} } };
        },
      },
      "vertex-diffusion",
      "dev",
      false,
      "my-org",
    );
  }

  it(
    "tells a resource of the state by type and name",
    async () => {
      await engineThatFails(0);

      expect(await isRecorded(BUCKET, "bucket")).toBe(true);
      expect(await isRecorded(BUCKET, "other")).toBe(false);
      expect(await isRecorded("gcp:vertex/aiEndpoint:AiEndpoint", "bucket")).toBe(false);
    },
    LOAD_TIMEOUT_MS,
  );

  it(
    "reads again when the engine is just writing its state",
    async () => {
      await engineThatFails(2);

      expect(await isRecorded(BUCKET, "bucket")).toBe(true);
    },
    LOAD_TIMEOUT_MS,
  );
});
