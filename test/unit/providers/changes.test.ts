import { describe, expect, it } from "@jest/globals";

import { compare, driftNotice, inputsOf } from "../../../providers/changes.ts";
import type { EffectTable } from "../../../providers/changes.ts";

interface Thing {
  readonly place: string;
  readonly size: number | null;
  readonly labels: Readonly<Record<string, unknown>>;
  readonly steps: readonly unknown[];
  readonly clock: string;
}

const TABLE: EffectTable<Thing> = {
  place: "replace",
  size: "update",
  labels: "update",
  steps: "update",
  clock: "none",
};

const RECORDED: Thing = {
  place: "here",
  size: 1,
  labels: { a: "1", b: "2" },
  steps: [1, 2],
  clock: "noon",
};

/** What a preview gives for a value that it can't know yet. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const NOTHING = { changes: false, replaces: [], deleteBeforeReplace: false };
const IN_PLACE = { changes: true, replaces: [], deleteBeforeReplace: false };

describe("compare", () => {
  it.each<{ case: string; wanted: Partial<Thing>; changes: object }>([
    { case: "the same", wanted: {}, changes: NOTHING },
    { case: "labels in another order", wanted: { labels: { b: "2", a: "1" } }, changes: NOTHING },
    { case: "an input that changes nothing", wanted: { clock: "one" }, changes: NOTHING },
    {
      case: "an absent label",
      wanted: { labels: { a: "1", b: "2", c: undefined } },
      changes: NOTHING,
    },
    { case: "another number", wanted: { size: 2 }, changes: IN_PLACE },
    { case: "null for a number", wanted: { size: null }, changes: IN_PLACE },
    { case: "a new label", wanted: { labels: { a: "1", b: "2", c: "3" } }, changes: IN_PLACE },
    { case: "a missing label", wanted: { labels: { a: "1" } }, changes: IN_PLACE },
    { case: "a list in another order", wanted: { steps: [2, 1] }, changes: IN_PLACE },
    { case: "a number that becomes text", wanted: { labels: { a: 1, b: "2" } }, changes: IN_PLACE },
    {
      case: "an unknown value that would be updated",
      wanted: { size: UNKNOWN as unknown as number },
      changes: IN_PLACE,
    },
    {
      case: "another place",
      wanted: { place: "there" },
      changes: { changes: true, replaces: ["place"], deleteBeforeReplace: true },
    },
    {
      case: "a place that is unknown",
      wanted: { place: UNKNOWN },
      changes: { changes: true, replaces: ["place"], deleteBeforeReplace: true },
    },
    {
      case: "another place and another number",
      wanted: { place: "there", size: 2 },
      changes: { changes: true, replaces: ["place"], deleteBeforeReplace: true },
    },
  ])("answers $changes for $case", ({ wanted, changes }) => {
    expect(compare(TABLE, RECORDED, { ...RECORDED, ...wanted })).toEqual(changes);
  });

  it.each([
    { recorded: undefined, wanted: null },
    { recorded: null, wanted: undefined },
    { recorded: null, wanted: null },
  ])("takes recorded $recorded and wanted $wanted for the same", ({ recorded, wanted }) => {
    const row = { size: "update" } as const;

    const changes = compare(row, { size: recorded } as object, { size: wanted });

    expect(changes).toEqual(NOTHING);
  });

  it("counts a recorded unknown as changed, so that a broken preview is never kept", () => {
    const changes = compare(
      TABLE,
      { ...RECORDED, place: UNKNOWN },
      { ...RECORDED, place: UNKNOWN },
    );

    expect(changes.replaces).toEqual(["place"]);
  });
});

describe("driftNotice", () => {
  it.each<{ case: string; found: Partial<Thing>; drift: string | null; notice: string | null }>([
    { case: "nothing changed", found: {}, drift: null, notice: null },
    { case: "only what changes nothing", found: { clock: "one" }, drift: null, notice: null },
    {
      case: "two values",
      found: { size: 3, labels: { a: "9" } },
      drift: null,
      notice: 'not as recorded: size is 3, not 1; labels is {"a":"9"}, not {"a":"1","b":"2"}',
    },
    {
      case: "something gone, in words",
      found: { place: "" },
      drift: "it was moved",
      notice: "not as recorded: it was moved",
    },
  ])("says what is not as recorded: $case", ({ found, drift, notice }) => {
    expect(driftNotice<Thing>(TABLE, RECORDED, { ...RECORDED, ...found, drift })).toBe(notice);
  });
});

describe("inputsOf", () => {
  it("gives the inputs alone when nothing drifted", () => {
    const props = { ...RECORDED, version: "3", drift: null };

    expect(inputsOf<Thing, typeof props>(TABLE, props)).toEqual(RECORDED);
  });

  it("adds the drift in words, so that a preview shows it", () => {
    const props = { ...RECORDED, version: "3", drift: "it was moved" };

    expect(inputsOf<Thing, typeof props>(TABLE, props)).toEqual({
      ...RECORDED,
      drift: "it was moved",
    });
  });
});
