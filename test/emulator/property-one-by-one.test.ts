import { describe, it, jest } from "@jest/globals";
import { ONE_BY_ONE } from "../support/property-commands.ts";
import { checkProperty } from "../support/property-run.ts";

const MOST_MS = 24 * 3_600_000;

// A failing sequence is shrunk for as long as that takes.
jest.setTimeout(MOST_MS);

describe("the emulator, whatever is called, refused, faulted, cancelled or killed", () => {
  it("answers every call by its rules, keeps its invariants, and a restart changes nothing", async () => {
    await checkProperty({ clock: "fast", commands: ONE_BY_ONE, runs: 12, mostCommands: 30 });
  });
});
