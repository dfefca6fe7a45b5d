import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "@jest/globals";

import { effects as claim } from "../../providers/claim.ts";
import { effects as deployment } from "../../providers/deployment.ts";
import { effects as model } from "../../providers/model.ts";
import { effects as upload } from "../../providers/upload.ts";

const ARCHITECTURE = join(import.meta.dirname, "..", "..", "ARCHITECTURE.md");

/** Rows `resource.input: effect` of the table between its two markers. */
function documentedRows(): string[] {
  const text = readFileSync(ARCHITECTURE, "utf8");
  const [, table = ""] =
    /<!-- replace-or-update -->([\s\S]*)<!-- \/replace-or-update -->/.exec(text) ?? [];
  const rows = [...table.matchAll(/^\| *(\w+) *\| *(\w+) *\| *(\w+) *\|$/gm)];
  return rows
    .map(([, resource, input, effect]) => `${resource}.${input}: ${effect}`)
    .filter((row) => row !== "resource.input: effect");
}

function rowsOf(resource: string, effects: object): string[] {
  return Object.entries(effects).map(([input, effect]) => `${resource}.${input}: ${effect}`);
}

describe("ARCHITECTURE.md's replace-or-update table", () => {
  it("has one row for every input of every dynamic resource, as the providers act on it", () => {
    const acted = [
      ...rowsOf("ArchiveUpload", upload),
      ...rowsOf("VertexModel", model),
      ...rowsOf("ModelDeployment", deployment),
      ...rowsOf("Claim", claim),
    ];

    expect(documentedRows().sort()).toEqual(acted.sort());
  });
});
