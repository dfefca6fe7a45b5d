import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One row of docs/drift.md. */
export interface DriftRow {
  readonly changed: string;
  /** What a preview's output contains. */
  readonly preview: readonly string[];
  /** What the output of the next `up` contains when it refuses. */
  readonly refusal: readonly string[];
  /** Methods that the next `up` calls to change something. */
  readonly calls: readonly string[];
}

/** The rows of docs/drift.md, in their order. */
export function documentedDrifts(): DriftRow[] {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "drift.md"), "utf8");
  const [, , ...rows] = text.split("\n").filter((line) => line.startsWith("|"));
  return rows.map((line) => {
    const [changed = "", preview = "", up = "", calls = ""] = line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
    return {
      changed,
      preview: codeOf(preview),
      refusal: codeOf(up),
      calls: codeOf(calls),
    };
  });
}

function codeOf(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}
