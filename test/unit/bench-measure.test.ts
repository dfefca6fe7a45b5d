import { describe, expect, it } from "@jest/globals";
import { interleave, measureCalls, ratioOf, spreadOf } from "../../scripts/bench/measure.ts";

const running = { signal: new AbortController().signal };

/** A contestant that writes its name into `ran` and measures how many had run before it. */
function contestant(name: string, ran: string[]) {
  return { name, run: async () => ran.push(name) - 1 };
}

describe("spreadOf", () => {
  it("says where most values lie, in whatever order they came", () => {
    const values = Array.from({ length: 101 }, (_value, index) => 100 - index);

    expect(spreadOf(values)).toEqual({ count: 101, median: 50, p95: 95, low: 0, high: 100 });
  });

  it("mixes the two values in the middle of an even number", () => {
    expect(spreadOf([4, 1, 2, 3]).median).toBe(2.5);
  });

  it("refuses to say anything of no values", () => {
    expect(() => spreadOf([])).toThrow("nothing was measured");
  });
});

describe("ratioOf", () => {
  it("compares within each round, so that a slow round of both changes nothing", () => {
    expect(ratioOf([10, 1, 30], [20, 2, 60])).toMatchObject({ median: 0.5, low: 0.5, high: 0.5 });
  });
});

describe("interleave", () => {
  it("drops a first round and turns the order around each time", async () => {
    const ran: string[] = [];

    const results = await interleave(
      ["a", "b", "c"].map((name) => contestant(name, ran)),
      { rounds: 2, ...running },
    );

    expect(ran.join("")).toBe("abccbaabc");
    expect(Object.fromEntries(results)).toEqual({ a: [5, 6], b: [4, 7], c: [3, 8] });
  });

  it("says what runs next", async () => {
    const said: string[] = [];

    await interleave([contestant("copy", [])], {
      rounds: 1,
      ...running,
      onProgress: (detail) => said.push(detail),
    });

    expect(said).toEqual(["copy, warming up", "copy, round 1 of 1"]);
  });

  it("runs nothing more once it is interrupted, and ends with the reason", async () => {
    const ran: string[] = [];
    const ending = new AbortController();
    const interrupting = {
      name: "b",
      run: async () => {
        ending.abort(new Error("interrupted"));
        return ran.push("b");
      },
    };

    const result = interleave([contestant("a", ran), interrupting, contestant("c", ran)], {
      rounds: 2,
      signal: ending.signal,
    });

    await expect(result).rejects.toThrow("interrupted");
    expect(ran).toEqual(["a", "b"]);
  });
});

describe("measureCalls", () => {
  it("makes exactly that many calls, never more at a time than there are callers", async () => {
    let underWay = 0;
    let most = 0;
    const call = async (): Promise<void> => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
    };

    const { latenciesMs, callsPerSecond } = await measureCalls(call, { calls: 10, callers: 3 });

    expect(latenciesMs).toHaveLength(10);
    expect(most).toBe(3);
    expect(callsPerSecond).toBeGreaterThan(0);
  });
});
