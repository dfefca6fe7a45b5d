import { describe, expect, it } from "@jest/globals";

import { TransferProgress } from "../../../providers/transfer-progress.ts";

function progressAfter(
  seconds: number,
  size: number,
  bytes: { readonly found?: number; readonly sent: number },
): string {
  let now = 1_000;
  const progress = new TransferProgress(size, () => now);
  progress.find(bytes.found ?? 0);
  progress.move(bytes.sent);
  now += seconds * 1000;
  return String(progress);
}

describe("TransferProgress", () => {
  it.each([
    {
      name: "rate and time left",
      text: progressAfter(10, 2_130_400_000, { sent: 880_000_000 }),
      says: "41 % of 2130.4 MB, 88 MB/s, 15 s left",
    },
    {
      name: "what was there, which counts as done but not for the rate",
      text: progressAfter(10, 2_000_000_000, { found: 1_000_000_000, sent: 500_000_000 }),
      says: "75 % of 2000.0 MB, 50 MB/s, 10 s left (1000.0 MB were already there)",
    },
    {
      name: "minutes of a slow line",
      text: progressAfter(10, 2_000_000_000, { sent: 10_000_000 }),
      says: "0 % of 2000.0 MB, 1.0 MB/s, 34 min left",
    },
    {
      name: "hours of a slower one",
      text: progressAfter(10, 20_000_000_000, { sent: 10_000_000 }),
      says: "0 % of 20000.0 MB, 1.0 MB/s, 5 h 34 min left",
    },
    {
      name: "no rate before the first byte",
      text: progressAfter(1, 2_000_000, { found: 1_000_000, sent: 0 }),
      says: "50 % of 2.0 MB (1.0 MB were already there)",
    },
    {
      name: "the end",
      text: progressAfter(1, 1_000_000, { sent: 1_000_000 }),
      says: "100 % of 1.0 MB, 1.0 MB/s, 0 s left",
    },
    { name: "nothing to send", text: progressAfter(1, 0, { sent: 0 }), says: "100 % of 0.0 MB" },
  ])("says $name", ({ text, says }) => {
    expect(text).toBe(says);
  });

  it("measures by what was moved in the last ten seconds", () => {
    let now = 0;
    const progress = new TransferProgress(1_000_000_000, () => now);
    const say = (seconds: number, bytes: number) => {
      now = seconds * 1000;
      progress.move(bytes);
      return String(progress);
    };
    say(1, 400_000_000);
    say(5, 100_000_000);
    say(14, 0);

    expect(say(15, 10_000_000)).toBe("51 % of 1000.0 MB, 1.0 MB/s, 9 min left");
  });

  it("takes back what has to be sent again", () => {
    let now = 0;
    const progress = new TransferProgress(100_000_000, () => now);
    progress.move(60_000_000);
    progress.move(-10_000_000);
    now = 1_000;

    expect(String(progress)).toBe("50 % of 100.0 MB, 50 MB/s, 1 s left");
  });
});
