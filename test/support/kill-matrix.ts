import { appendFile } from "node:fs/promises";
import { describe, expect, it } from "@jest/globals";
import { KILL_POINTS, titleOf } from "./kill-points.ts";
import type { Phase } from "./kill-points.ts";
import { killOnce } from "./kill-run.ts";
import type { KillReport } from "./kill-run.ts";

/** Where the report's rows go; the script that runs this level sets it. */
const REPORT = process.env["VERTEX_DIFFUSION_CRASH_REPORT"];

/** The kills of one phase, each a test in a stack of its own and a row of the report. */
export function describeKills(phase: Phase): void {
  const points = KILL_POINTS.filter((point) => point.phase === phase);
  describe("the next plain command after a kill", () => {
    it.each(points.map((point) => ({ title: titleOf(point), point })))(
      "$title",
      async ({ title, point }) => {
        const report = await killOnce(point).catch(asReport);

        if (REPORT !== undefined) await appendFile(REPORT, toRow(title, report));
        expect(report.problems).toEqual([]);
      },
      300_000,
    );
  });
}

/** A run that never came to its kill, or to its end, is a row as well. */
function asReport(error: Error): KillReport {
  return { before: "unknown", calls: [], after: "unknown", problems: [error.message] };
}

function toRow(title: string, { before, calls, after, problems }: KillReport): string {
  const verdict = problems.length === 0 ? "as declared" : problems.join("; ");
  const called = calls.map((call) => call.replace(/^(\w+Service|storage)\./, "")).join(", ");
  return `| ${title} | ${before} | ${called || "none"} | ${after} | ${verdict.split("\n")[0]} |\n`;
}
