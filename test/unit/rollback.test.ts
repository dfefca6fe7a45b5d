import { describe, expect, it } from "@jest/globals";

import type { ServedVersion } from "../../providers/pin.ts";
import { formatVersions, rollbackTarget } from "../../scripts/rollback/target.ts";

/** Versions 1, 2, ... with these shares of the requests; `live` is the number of the one with that alias. */
function versions(shares: readonly number[], live: number): ServedVersion[] {
  return shares.map((traffic, index) => ({
    versionId: String(index + 1),
    alias: `sha-00000000000${index + 1}`,
    isLive: index + 1 === live,
    traffic,
  }));
}

describe("the version that a rollback goes to", () => {
  it.each([
    { case: "the newest below the one that serves", shares: [0, 0, 100], live: 3, target: "2" },
    { case: "one further back from a pinned one", shares: [0, 100, 0], live: 2, target: "1" },
    { case: "the old one of a held split", shares: [0, 80, 20], live: 2, target: "2" },
    { case: "the one before where live was not moved", shares: [0, 0, 100], live: 2, target: "2" },
  ])("is $case", ({ shares, live, target }) => {
    expect(rollbackTarget(versions(shares, live), undefined).versionId).toBe(target);
  });

  it("goes by number, not by text, and over versions that are gone", () => {
    const some = versions([0, 0, 0], 0).map((version, index) => ({
      ...version,
      versionId: ["10", "9", "7"][index] ?? "",
      traffic: index === 0 ? 100 : 0,
    }));

    expect(rollbackTarget(some.reverse(), undefined).versionId).toBe("9");
  });

  it("is the one that was named, also a newer one", () => {
    expect(rollbackTarget(versions([100, 0, 0], 1), "sha-000000000003").versionId).toBe("3");
  });

  it.each([
    {
      case: "the oldest one serves",
      shares: [100, 0],
      to: undefined,
      says: 'No version is older than version 1, which serves. There are "sha-000000000002" (version 2), "sha-000000000001" (version 1, live).',
    },
    {
      case: "nothing serves",
      shares: [0],
      to: undefined,
      says: 'No version gets requests, so there is none before it. Name one with "--to". There is "sha-000000000001" (version 1, live).',
    },
    {
      case: "no version has the name",
      shares: [100],
      to: "sha-0000000000ff",
      says: 'No version bears the alias "sha-0000000000ff". There is "sha-000000000001" (version 1, live).',
    },
    {
      case: "the model is gone",
      shares: [],
      to: "sha-0000000000ff",
      says: 'No version bears the alias "sha-0000000000ff". The model has no versions.',
    },
  ])("is refused when $case, naming what there is", ({ shares, to, says }) => {
    expect(() => rollbackTarget(versions(shares, 1), to)).toThrow(new Error(says));
  });
});

describe("the list of versions", () => {
  it("says which one serves and which one is to be pinned", () => {
    const list = versions([0, 100], 2);

    expect(formatVersions(list, list[0] as ServedVersion)).toBe(
      "  version 2    sha-000000000002  100 % of the requests\n" +
        "  version 1    sha-000000000001  <- to be pinned\n",
    );
  });
});
