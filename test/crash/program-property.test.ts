import { describe, it, jest } from "@jest/globals";
import { checkPrograms } from "../support/program-run.ts";

const MOST_MS = 24 * 3_600_000;

// A failing program is shrunk for as long as that takes.
jest.setTimeout(MOST_MS);

describe("a stack, whatever is declared, changed by hand, refused, cut off or killed, in many more programs", () => {
  it("is what is declared after the next up that nothing disturbs, and gone after destroy", async () => {
    await checkPrograms({ runs: 200, seed: 20261128 });
  });
});
