import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { StackProject } from "../support/stack-project.ts";
import { isEmpty } from "../support/cloud-questions.ts";

const CLEAN = {
  machineType: "n1-standard-8",
  acceleratorType: "NVIDIA_TESLA_T4",
  acceleratorCount: null,
  minReplicas: null,
  maxReplicas: null,
  bucketName: null,
  handler: null,
  weights: "weights",
  weightsConfig: null,
  emulator: "true",
};

describe("a preview of what can't be deployed", () => {
  let stack: StackProject;

  beforeAll(async () => {
    stack = await StackProject.create();
  }, 120_000);

  beforeEach(async () => {
    await stack.set(CLEAN);
  });

  afterAll(async () => {
    await stack?.remove();
  });

  it.each([
    {
      what: "settings that Vertex AI does not offer, all at once",
      settings: {
        acceleratorCount: "3",
        minReplicas: "2",
        maxReplicas: "1",
        bucketName: "google-pictures",
      },
      says: `Stack "test" can't be deployed as Pulumi.test.yaml declares it:
      vertex-diffusion:acceleratorCount: 3 x NVIDIA_TESLA_T4 is not offered on "n1-standard-8". Offered: 1, 2, 4.
      vertex-diffusion:maxReplicas: 1 is below minReplicas (2). Set 2 or more.
      vertex-diffusion:bucketName: "google-pictures" contains "goog" at its start or "google"`,
    },
    {
      what: "a missing weights folder",
      settings: { weights: "nowhere" },
      says: 'vertex-diffusion:weights: the folder "nowhere"',
    },
    {
      what: "a configuration of weights that have their own",
      settings: { weightsConfig: "models/sd15" },
      says: 'vertex-diffusion:weightsConfig: "models/sd15" goes with a single .safetensors file, and weights names "weights"',
    },
    {
      what: "the default weights where they are not locked yet",
      settings: { weights: null },
      says: 'vertex-diffusion:weights: "hf://stable-diffusion-v1-5/stable-diffusion-v1-5" is not in weights.lock.json. Run "npm run lock"',
    },
    {
      what: "a local stack without its emulator's address",
      settings: {},
      env: { VERTEX_DIFFUSION_EMULATOR: "" },
      says: 'This stack says "emulator: true", but VERTEX_DIFFUSION_EMULATOR is not set',
    },
    {
      what: "an emulator that does not run",
      settings: {},
      env: { VERTEX_DIFFUSION_EMULATOR: "nowhere/address.json" },
      says: 'The local Vertex AI is not running: there is no address at "nowhere/address.json"',
    },
    {
      what: "a cloud stack that would reach an emulator",
      settings: { emulator: "false" },
      says: "This stack is meant for Google Cloud, but VERTEX_DIFFUSION_EMULATOR points to a local emulator",
    },
  ])(
    "refuses $what in words, without a stack trace and with nothing made",
    async (row) => {
      await stack.set(row.settings);

      const { code, output } = await stack.run(["preview"], { ...stack.env, ...row.env });

      expect(code).not.toBe(0);
      expect(output).toContain(row.says);
      expect(output).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
      expect(isEmpty(await stack.cloud())).toBe(true);
    },
    120_000,
  );
});
