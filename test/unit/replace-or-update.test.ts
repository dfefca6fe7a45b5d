import { readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "@jest/globals";

import * as adoption from "../../providers/adoption.ts";
import type { Changes } from "../../providers/changes.ts";
import * as claim from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import { plain } from "../../providers/results.ts";
import * as upload from "../../providers/upload.ts";
import { EFFECT_ROWS } from "../support/effect-tables.ts";
import {
  ENDPOINT,
  MODEL,
  STACK_UID,
  adoptionInputs,
  deploymentInputs,
  modelInputs,
  uploadInputs,
} from "../support/provider-inputs.ts";

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

type Diff = (id: string, recorded: object, wanted: object) => Changes;

/** Each resource's diff, and inputs that are recorded as they are wanted. */
const RESOURCES: Readonly<Record<string, { readonly diff: Diff; readonly inputs: object }>> = {
  ArchiveUpload: { diff: upload.diff as Diff, inputs: uploadInputs() },
  VertexModel: { diff: model.diff as Diff, inputs: modelInputs() },
  ModelDeployment: { diff: deployment.diff as Diff, inputs: deploymentInputs() },
  Claim: {
    diff: claim.diff as Diff,
    inputs: {
      ...{ emulator: true, stackUid: STACK_UID, project: "local-project", kind: "endpoint" },
      ...{ bucket: "test-bucket", modelName: MODEL, endpoint: ENDPOINT, recorded: true },
      ...{ undeployTimeoutSeconds: 60, deleteTimeoutSeconds: 60 },
    },
  },
  Adoption: { diff: adoption.diff as Diff, inputs: adoptionInputs() },
};

/** Another value of the same type. */
function other(value: unknown): unknown {
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + 1;
  if (Array.isArray(value)) return [...(value as unknown[]), "more"];
  if (typeof value === "object" && value !== null) return { ...value, more: "yes" };
  return `${String(value)}-changed`;
}

function resourceOf(name: string) {
  const resource = RESOURCES[name];
  if (resource === undefined) throw new Error(`no inputs for a ${name}`);
  return resource;
}

describe("ARCHITECTURE.md's replace-or-update table", () => {
  it("has one row for every input of every dynamic resource, as the providers act on it", () => {
    const acted = EFFECT_ROWS.map(
      ({ resource, input, effect }) => `${resource}.${input}: ${effect}`,
    );

    expect(documentedRows().sort()).toEqual(acted.sort());
  });

  it.each(Object.keys(RESOURCES))("sees no change of a %s of which nothing changed", (name) => {
    const { diff, inputs } = resourceOf(name);

    expect(diff("", inputs, plain(inputs))).toEqual({
      changes: false,
      replaces: [],
      deleteBeforeReplace: false,
    });
  });

  it.each(EFFECT_ROWS)(
    "has $effect for a changed $resource.$input",
    ({ resource, input, effect }) => {
      const { diff, inputs } = resourceOf(resource);
      const value = (inputs as Readonly<Record<string, unknown>>)[input];

      const changes = diff("", inputs, { ...inputs, [input]: other(value) });

      expect(changes).toEqual({
        changes: effect !== "none",
        replaces: effect === "replace" ? [input] : [],
        deleteBeforeReplace: effect === "replace",
      });
    },
  );
});
