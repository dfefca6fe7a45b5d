import { describe, expect, it } from "@jest/globals";

import { pinNotice, takeoverOf } from "../../../components/pin.ts";

const PIN = "sha-00000000000a";
const DECLARED = "sha-00000000000b";

describe("what a preview says of a pin", () => {
  it("is nothing when there is none", () => {
    expect(pinNotice({ pin: null, stack: "dev" }, DECLARED)).toBeNull();
  });

  it("names it, what is declared instead, and the command that takes it away", () => {
    expect(pinNotice({ pin: PIN, stack: "dev" }, DECLARED)).toBe(
      'Pinned to sha-00000000000a, not what archive and container declare (sha-00000000000b), which is only registered. "npm run rollback -- --forward --stack dev" takes the pin away.',
    );
  });

  it("says of a pin to what is declared that a change will not be served", () => {
    expect(pinNotice({ pin: PIN, stack: "dev" }, PIN)).toBe(
      'Pinned to sha-00000000000a, which is what archive and container declare now; a change of them will not be served. "npm run rollback -- --forward --stack dev" takes the pin away.',
    );
  });
});

describe("how a deployment takes over", () => {
  it.each([
    { case: "a canary", rollout: "canary", canaryPercent: null },
    { case: "a held split", rollout: "surge", canaryPercent: 20 },
    { case: "a held split of a canary", rollout: "canary", canaryPercent: 20 },
  ] as const)("is $case without a pin, and all at once with one", ({ rollout, canaryPercent }) => {
    const declared = { rollout, canaryPercent };

    expect(takeoverOf({ ...declared, pin: null })).toEqual(declared);
    expect(takeoverOf({ ...declared, pin: PIN })).toEqual({
      rollout: "surge",
      canaryPercent: null,
    });
  });

  it("stays recreate with a pin: there is no room for both", () => {
    const declared = { rollout: "recreate", canaryPercent: null } as const;

    expect(takeoverOf({ ...declared, pin: PIN })).toEqual(declared);
  });
});
