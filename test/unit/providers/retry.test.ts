import { describe, expect, it } from "@jest/globals";

import { Code } from "../../../providers/errors.ts";
import { OperationFailedError } from "../../../providers/operations.ts";
import { retrying } from "../../../providers/retry.ts";

function errorWith(code: number | string | undefined): Error {
  return Object.assign(new Error("no"), { code });
}

/** A cycle that fails with this error the first time and then goes well. */
function failingOnce(error: Error) {
  let tries = 0;
  const cycle = async () => {
    tries += 1;
    if (tries === 1) throw error;
    return "done";
  };
  return { cycle, tries: () => tries };
}

describe("retrying", () => {
  it.each([
    { kind: "UNAVAILABLE", error: errorWith(Code.UNAVAILABLE) },
    { kind: "ABORTED", error: errorWith(Code.ABORTED) },
    { kind: "DEADLINE_EXCEEDED", error: errorWith(Code.DEADLINE_EXCEEDED) },
    { kind: "INTERNAL", error: errorWith(Code.INTERNAL) },
    { kind: "HTTP 503", error: errorWith(503) },
  ])("runs the whole cycle again after $kind", async ({ error }) => {
    const { cycle, tries } = failingOnce(error);

    expect(await retrying(cycle)).toBe("done");
    expect(tries()).toBe(2);
  });

  it.each([
    { kind: "a full quota", error: errorWith(Code.RESOURCE_EXHAUSTED) },
    { kind: "a refusal", error: errorWith(Code.INVALID_ARGUMENT) },
    { kind: "a missing permission", error: errorWith(Code.PERMISSION_DENIED) },
    { kind: "a conflict", error: errorWith(Code.FAILED_PRECONDITION) },
    { kind: "HTTP 403", error: errorWith(403) },
    { kind: "an error without a code", error: errorWith(undefined) },
    {
      kind: "a failed operation, whatever its code",
      error: new OperationFailedError("deployment", Code.INTERNAL, "it broke"),
    },
  ])("stops at the first $kind", async ({ error }) => {
    const { cycle, tries } = failingOnce(error);

    await expect(retrying(cycle)).rejects.toBe(error);
    expect(tries()).toBe(1);
  });
});
