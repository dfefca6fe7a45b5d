import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

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
  const before = process.env.VERTEX_DIFFUSION_PATIENCE_MS;

  beforeAll(() => {
    process.env.VERTEX_DIFFUSION_PATIENCE_MS = "600";
  });

  afterAll(() => {
    if (before === undefined) delete process.env.VERTEX_DIFFUSION_PATIENCE_MS;
    else process.env.VERTEX_DIFFUSION_PATIENCE_MS = before;
  });

  it("gives up after six tries", async () => {
    let tries = 0;
    const error = errorWith(Code.UNAVAILABLE);

    const failing = retrying(async () => {
      tries += 1;
      throw error;
    });

    await expect(failing).rejects.toBe(error);
    expect(tries).toBe(6);
  });

  it("does not give up while each try comes nearer to the end", async () => {
    let tries = 0;
    const cycle = async () => {
      tries += 1;
      if (tries < 10) throw errorWith(503);
      return "done";
    };

    expect(await retrying(cycle, () => true)).toBe("done");
  });

  it("gives up after six tries that bring nothing more", async () => {
    let tries = 0;
    const failing = retrying(
      async () => {
        tries += 1;
        throw errorWith(503);
      },
      () => tries <= 3,
    );

    await expect(failing).rejects.toMatchObject({ code: 503 });
    expect(tries).toBe(8);
  });

  it.each([
    { kind: "UNAVAILABLE", error: errorWith(Code.UNAVAILABLE) },
    { kind: "ABORTED", error: errorWith(Code.ABORTED) },
    { kind: "DEADLINE_EXCEEDED", error: errorWith(Code.DEADLINE_EXCEEDED) },
    { kind: "INTERNAL", error: errorWith(Code.INTERNAL) },
    { kind: "HTTP 503", error: errorWith(503) },
    { kind: "HTTP 503 as text", error: errorWith("503") },
    { kind: "HTTP 429", error: errorWith(429) },
    { kind: "a reset connection", error: errorWith("ECONNRESET") },
    {
      kind: "a wrapped reset connection",
      error: new Error("failed", { cause: errorWith("ECONNRESET") }),
    },
    {
      kind: "a rate limit by its reason",
      error: Object.assign(errorWith(Code.RESOURCE_EXHAUSTED), { reason: "RATE_LIMIT_EXCEEDED" }),
    },
    {
      kind: "a rate limit by its words",
      error: Object.assign(errorWith(Code.RESOURCE_EXHAUSTED), {
        details:
          "Quota exceeded for quota metric 'Model service mutate requests' and limit 'Model service mutate requests per minute per region'.",
      }),
    },
    { kind: "somebody who was quicker", error: errorWith(Code.ALREADY_EXISTS) },
    { kind: "HTTP 412", error: errorWith(412) },
  ])("runs the whole cycle again after $kind", async ({ error }) => {
    const { cycle, tries } = failingOnce(error);

    expect(await retrying(cycle)).toBe("done");
    expect(tries()).toBe(2);
  });

  it.each([
    {
      kind: "full GPU quota",
      error: Object.assign(errorWith(Code.RESOURCE_EXHAUSTED), {
        details:
          "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_serving_nvidia_t4_gpus",
      }),
    },
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
