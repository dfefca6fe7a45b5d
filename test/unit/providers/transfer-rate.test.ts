import { describe, expect, it } from "@jest/globals";

import { TransferRate } from "../../../providers/transfer-rate.ts";

describe("TransferRate", () => {
  it("says how far and how fast a transfer is and how long it will take", () => {
    let nowMs = 0;
    const rate = new TransferRate(400e6, () => nowMs);

    const first = rate.describe(100e6);
    nowMs = 2_000;
    const second = rate.describe(120e6);
    nowMs = 9_000;
    const third = rate.describe(400e6);

    // What an earlier run had moved is no speed.
    expect(first).toBe("25 % of 400.0 MB");
    expect(second).toBe("30 % of 400.0 MB, 10.0 MB/s, 28 s left");
    expect(third).toBe("100 % of 400.0 MB, 33.3 MB/s, 0 s left");
  });

  it("measures by the last ten seconds alone", () => {
    let nowMs = 0;
    const rate = new TransferRate(1000e6, () => nowMs);
    rate.describe(0);
    nowMs = 5_000;
    rate.describe(500e6);
    nowMs = 15_000;

    expect(rate.describe(510e6)).toBe("51 % of 1000.0 MB, 1.0 MB/s, 8 min 10 s left");
  });
});
