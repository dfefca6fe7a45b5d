import { describe, expect, it } from "@jest/globals";

import { OperationFailedError } from "../../../providers/operations.ts";
import { ReconcileError, UnfinishedError } from "../../../providers/errors.ts";
import { asPartialFailure, plain, stillPending } from "../../../providers/results.ts";

const PENDING = {
  operation: "projects/1/locations/us-central1/models/m/operations/7",
  kind: "uploadModel",
  startedAt: "2026-11-24T12:00:00.000Z",
};

describe("plain", () => {
  it("leaves no undefined anywhere, which Pulumi could not store", () => {
    const value = { a: undefined, b: { c: undefined, d: 1 }, e: [undefined, 2], f: null };

    const stored = plain(value);

    expect(stored).toStrictEqual({ b: { d: 1 }, e: [null, 2], f: null });
  });
});

describe("asPartialFailure", () => {
  const properties = {
    __provider: "exports.handler = ...",
    modelId: "m",
    description: undefined,
    pending: null,
  };

  it("keeps an unfinished change in the state: inputs, provider and the operation that runs", () => {
    const error = new UnfinishedError("The upload is not finished.", PENDING);

    const failure = asPartialFailure(error, "the-id", properties);

    expect(failure).toBeInstanceOf(ReconcileError);
    expect(failure.message).toBe("The upload is not finished.");
    expect({ ...failure }).toMatchObject({
      id: "the-id",
      properties: {
        __provider: "exports.handler = ...",
        modelId: "m",
        pending: PENDING,
      },
      reasons: ["The upload is not finished."],
    });
    expect(failure).toHaveProperty("properties", plain({ ...properties, pending: PENDING }));
  });

  it.each([
    { case: "a refusal", error: new ReconcileError("Could not use it.") },
    { case: "a failed operation", error: new OperationFailedError("upload", 9, "no such file") },
  ])("passes $case unchanged: nothing is kept of it", ({ error }) => {
    const failure = asPartialFailure(error, "the-id", properties);

    expect(failure).toBe(error);
    expect(failure).not.toHaveProperty("properties");
  });
});

describe("stillPending", () => {
  it("answers present and as recorded, with the operation", () => {
    const recorded = { name: "m", schema: 1, pending: PENDING, drift: null };

    expect(stillPending("the-id", recorded)).toEqual({ id: "the-id", props: recorded });
  });
});
