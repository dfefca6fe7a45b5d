import { appendFile } from "node:fs/promises";
import { describe, expect, it } from "@jest/globals";
import { KILL_POINTS, titleOf } from "../support/kill-points.ts";
import { killAndGoOn } from "../support/kill-run.ts";
import type { KillReport } from "../support/kill-run.ts";

/** Where the report's rows go; the script that runs this level sets it. */
const REPORT = process.env["VERTEX_DIFFUSION_CRASH_REPORT"];

describe("the next plain command after a kill", () => {
  it.each(KILL_POINTS.map((point) => ({ title: titleOf(point), point })))(
    "$title",
    async ({ title, point }) => {
      const report = await killAndGoOn(point);

      if (REPORT !== undefined) await appendFile(REPORT, toRow(title, report));
      expect(report.problems).toEqual([]);
    },
    300_000,
  );
});

function toRow(title: string, { before, calls, after, problems }: KillReport): string {
  const verdict = problems.length === 0 ? "as declared" : problems.join("; ");
  const called = calls.map((call) => call.replace(/^(\w+Service|storage)\./, "")).join(", ");
  return `| ${title} | ${before} | ${called || "none"} | ${after} | ${verdict.split("\n")[0]} |\n`;
}
