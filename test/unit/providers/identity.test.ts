import { describe, expect, it } from "@jest/globals";

import * as identity from "../../../providers/identity.ts";

describe("the stack's identity", () => {
  it("is 12 random hex digits, also the resource's id", async () => {
    const first = await identity.create();
    const second = await identity.create();

    expect(first.outs.uid).toMatch(/^[0-9a-f]{12}$/);
    expect(first.id).toBe(first.outs.uid);
    expect(second.outs.uid).not.toBe(first.outs.uid);
  });

  it("differs in nothing, whatever the shell's text is", () => {
    expect(identity.diff().changes).toBe(false);
  });

  it("keeps its uid through an update and a read", async () => {
    const recorded = { uid: "0a1b2c3d4e5f" };

    expect((await identity.update(recorded.uid, recorded)).outs).toEqual(recorded);
    expect((await identity.read(recorded.uid, recorded)).props).toEqual(recorded);
  });
});
