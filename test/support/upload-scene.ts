import { Storage } from "@google-cloud/storage";
import type { Bucket } from "@google-cloud/storage";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "@jest/globals";
import { PassThroughClient } from "google-auth-library";

import { enterArchiveSources } from "./archive-sources.ts";
import type { ArchiveSources } from "./archive-sources.ts";
import { makeBucket } from "./bucket.ts";
import { startProviderEmulator } from "./provider-emulator.ts";
import type { ProviderEmulator } from "./provider-emulator.ts";

/** Name of the bucket that each test finds empty. */
export const BUCKET = "test-bucket";
/** Pulumi id of the archives in it. */
export const ID = `gs://${BUCKET}/archives`;

/** A local Cloud Storage for all tests of a file; sources and a bucket for each of them. */
export interface UploadScene {
  readonly emulator: ProviderEmulator;
  readonly sources: ArchiveSources;
  bucket(): Bucket;
  /** All that is in the bucket, by name. */
  objectNames(): Promise<string[]>;
  /** Calls that changed objects since this was asked last, with how many of each. */
  changes(): Promise<Record<string, number>>;
}

/** Sets the scene around the tests of the file that calls this. A fault that was asked for and did not happen fails its test. */
export function setUploadScene(): UploadScene {
  let emulator: ProviderEmulator;
  let sources: ArchiveSources;

  beforeAll(async () => {
    emulator = await startProviderEmulator();
  });

  afterAll(async () => {
    await emulator.stop();
  });

  beforeEach(async () => {
    sources = enterArchiveSources();
    await makeBucket(emulator.rest, BUCKET);
    await emulator.calls();
  });

  afterEach(async () => {
    sources.remove();
    const left = await emulator.leftFaults();
    await emulator.reset();
    expect(left).toEqual([]);
  });

  const bucket = () =>
    new Storage({
      apiEndpoint: emulator.rest,
      projectId: "local-project",
      authClient: new PassThroughClient(),
    }).bucket(BUCKET);
  return {
    get emulator() {
      return emulator;
    },
    get sources() {
      return sources;
    },
    bucket,
    objectNames: async () => {
      const [files] = await bucket().getFiles();
      return files.map((file) => file.name).sort();
    },
    changes: async () => {
      const counts: Record<string, number> = {};
      for (const call of await emulator.calls()) {
        if (/insert|rewrite|copy|compose|delete/.test(call)) counts[call] = (counts[call] ?? 0) + 1;
      }
      return counts;
    },
  };
}
