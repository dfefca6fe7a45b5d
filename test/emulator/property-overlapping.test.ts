import { describe, it, jest } from "@jest/globals";
import { OVERLAPPING } from "../support/property-commands.ts";
import { checkProperty } from "../support/property-run.ts";

const MOST_MS = 24 * 3_600_000;

// A failing sequence is shrunk for as long as that takes.
jest.setTimeout(MOST_MS);

describe("the emulator while operations overlap", () => {
  it("answers every call by its rules, keeps its invariants, and ends every operation", async () => {
    await checkProperty({
      clock: "manual",
      commands: OVERLAPPING,
      runs: 12,
      mostCommands: 40,
    });
  });
});
