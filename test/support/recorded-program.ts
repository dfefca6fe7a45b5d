import { afterAll, beforeAll, jest } from "@jest/globals";

import type * as Program from "../../index.ts";
import { LOAD_TIMEOUT_MS, recordProgram, valueOf } from "./mocks.ts";
import type { RecordedProgram } from "./mocks.ts";
import { enterPipelineFolder } from "./pipeline-folder.ts";
import type { PipelineFolder } from "./pipeline-folder.ts";

/** The whole program, loaded once for all tests of a file, over a pipeline folder of their own. */
export interface LoadedProgram extends RecordedProgram {
  readonly folder: PipelineFolder;
  readonly outputs: typeof Program;
  /** What it says and what it warns of, which is not printed. */
  readonly log: jest.SpiedFunction<typeof console.log>;
  readonly warn: jest.SpiedFunction<typeof console.warn>;
}

/**
 * Loads the program around the tests of the describe that calls this, with the engine replaced by one that records. `configOf`
 * answers the configuration of the stack, once the folder is entered. One program per process, so one per file.
 */
export function useRecordedProgram(
  stack: string,
  configOf: (folder: PipelineFolder) => Readonly<Record<string, string>>,
  options: Parameters<typeof recordProgram>[2] = {},
): LoadedProgram {
  let folder: PipelineFolder;
  let program: RecordedProgram;
  let outputs: typeof Program;
  const log = jest.spyOn(console, "log").mockImplementation(() => undefined);
  const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);

  beforeAll(async () => {
    folder = enterPipelineFolder();
    program = await recordProgram(stack, configOf(folder), options);
    outputs = await import("../../index.ts");
    await valueOf(outputs.predictUrl);
    await valueOf(outputs.deployedModelId);
  }, LOAD_TIMEOUT_MS);

  afterAll(() => {
    log.mockRestore();
    warn.mockRestore();
    folder.remove();
  });

  return {
    log,
    warn,
    get folder() {
      return folder;
    },
    get outputs() {
      return outputs;
    },
    get resources() {
      return program.resources;
    },
    urns: () => program.urns(),
    inputsOf: (name, type) => program.inputsOf(name, type),
    providerText: (type) => program.providerText(type),
  };
}
