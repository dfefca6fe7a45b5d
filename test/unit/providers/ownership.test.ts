import { describe, expect, it } from "@jest/globals";

import { ReconcileError } from "../../../providers/errors.ts";
import {
  adoptedAlias,
  adoptedValue,
  aliasInDisplayName,
  deployedDisplayName,
  isOurs,
  ownerOf,
  requireOurs,
  withMarks,
  withoutMarks,
} from "../../../providers/ownership.ts";
import { OTHER_UID, STACK_UID } from "../../support/provider-inputs.ts";

type Labels = Readonly<Record<string, string>>;

describe("marks in labels", () => {
  it("stand beside the user's labels", () => {
    expect(withMarks({ team: "art" }, STACK_UID)).toEqual({
      team: "art",
      "managed-by": "vertex-diffusion",
      "vertex-diffusion-stack": STACK_UID,
    });
  });

  it("win over user labels of the same names", () => {
    const marked = withMarks({ "vertex-diffusion-stack": OTHER_UID }, STACK_UID);

    expect(isOurs(marked, STACK_UID)).toBe(true);
  });

  it("are left out of what a read reports, as are Google's own labels", () => {
    const labels = { ...withMarks({ team: "art" }, STACK_UID), "goog-pulumi-provisioned": "true" };

    expect(withoutMarks(labels)).toEqual({ team: "art" });
    expect(withoutMarks(null)).toEqual({});
  });

  it.each<{ labels: Labels | null; ours: boolean }>([
    { labels: { "vertex-diffusion-stack": STACK_UID }, ours: true },
    { labels: { "vertex-diffusion-stack": OTHER_UID }, ours: false },
    { labels: { "managed-by": "vertex-diffusion" }, ours: false },
    { labels: {}, ours: false },
    { labels: null, ours: false },
  ])("make $labels ours: $ours", ({ labels, ours }) => {
    expect(isOurs(labels, STACK_UID)).toBe(ours);
  });
});

const NOBODY = "nobody that vertex-diffusion knows (it bears no mark)";
const OR_ADOPT = ', or take it over with the setting "adopt"';

describe("requireOurs", () => {
  it("passes what bears this stack's mark", () => {
    expect(() => requireOurs('model "m"', withMarks({}, STACK_UID), STACK_UID)).not.toThrow();
  });

  it.each<{ owner: string; labels: Labels | undefined; orAdopt: string }>([
    {
      owner: `stack ${OTHER_UID} of vertex-diffusion`,
      labels: { "vertex-diffusion-stack": OTHER_UID },
      orAdopt: "",
    },
    { owner: NOBODY, labels: { team: "art" }, orAdopt: OR_ADOPT },
    { owner: NOBODY, labels: undefined, orAdopt: OR_ADOPT },
  ])("refuses a thing of $owner, naming it and the ways out", ({ owner, labels, orAdopt }) => {
    const refuse = () => requireOurs('model "m"', labels, STACK_UID);

    expect(ownerOf(labels)).toBe(owner);
    expect(refuse).toThrow(ReconcileError);
    expect(refuse).toThrow(
      `Could not use model "m": it belongs to ${owner}. Its id is made from the stack's name: use another stack name, or delete it by hand if nobody needs it${orAdopt}.`,
    );
  });
});

describe("the display name of a deployed model", () => {
  it("carries model, stack and version, within Vertex AI's 128 characters", () => {
    const name = deployedDisplayName("m".repeat(63), STACK_UID, "sha-000000000001");

    expect(name).toBe(`${"m".repeat(63)}-0a1b-sha-000000000001`);
    expect(name.length).toBeLessThanOrEqual(128);
  });

  it.each([
    { name: "diffusion-dev-0a1b-sha-000000000001", alias: "sha-000000000001" },
    { name: "diffusion-dev-ffff-sha-000000000001", alias: undefined },
    { name: "diffusion-dev-0a1b-sha-000000000001-copy", alias: undefined },
    { name: "diffusion-dev-0a1b-sha-0001", alias: undefined },
    { name: "somebody's model", alias: undefined },
    { name: "", alias: undefined },
  ])('"$name" names version $alias of this stack', ({ name, alias }) => {
    expect(aliasInDisplayName(name, STACK_UID)).toBe(alias);
  });
});

describe("the label of an adopted endpoint", () => {
  const ALIAS = "sha-000000000001";
  const ID = "1234567890123456789";

  it("names the deployed model and its version, within Google's 63 characters", () => {
    const value = adoptedValue(ID, ALIAS);

    expect(value).toBe("1234567890123456789_sha-000000000001");
    expect(value).toMatch(/^[a-z0-9_-]{1,63}$/);
  });

  it.each<{ case: string; labels: Labels; id: string; alias: string | undefined }>([
    {
      case: "the one that was adopted",
      labels: withMarks({ "vertex-diffusion-adopted": adoptedValue(ID, ALIAS) }, STACK_UID),
      id: ID,
      alias: ALIAS,
    },
    {
      case: "another one",
      labels: withMarks({ "vertex-diffusion-adopted": adoptedValue(ID, ALIAS) }, STACK_UID),
      id: "1",
      alias: undefined,
    },
    {
      case: "one of another stack's endpoint",
      labels: withMarks({ "vertex-diffusion-adopted": adoptedValue(ID, ALIAS) }, OTHER_UID),
      id: ID,
      alias: undefined,
    },
    {
      case: "one under a label that somebody wrote",
      labels: withMarks({ "vertex-diffusion-adopted": `${ID}_live` }, STACK_UID),
      id: ID,
      alias: undefined,
    },
    { case: "one without a label", labels: withMarks({}, STACK_UID), id: ID, alias: undefined },
  ])("gives $case the alias $alias", ({ labels, id, alias }) => {
    expect(adoptedAlias(labels, STACK_UID, id)).toBe(alias);
  });
});
