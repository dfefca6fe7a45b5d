import { describe, expect, it } from "@jest/globals";

import {
  Code,
  ReconcileError,
  codeOf,
  detailOf,
  explain,
  isNotFound,
  nullIfNotFound,
} from "../../../providers/errors.ts";

/** An error as Google's gRPC clients throw it. */
function grpcError(code: number, details: string): Error {
  return Object.assign(new Error(`${code} NAME: ${details}`), { code, details });
}

const GRANT =
  'Grant the caller "roles/aiplatform.admin" and "roles/storage.admin" on the project, then run the same command again.';
const LOGIN =
  'Run "gcloud auth application-default login" or set GOOGLE_OAUTH_ACCESS_TOKEN, then run the same command again.';

describe("explain", () => {
  it("says what could not be done and the server's own words, without the client's code prefix", () => {
    const error = explain(
      'deploy "m"',
      grpcError(Code.INVALID_ARGUMENT, "the machine type is not offered"),
    );

    expect(error.message).toBe('Could not deploy "m": the machine type is not offered.');
  });

  it("does not double the server's full stop", () => {
    const error = explain('deploy "m"', grpcError(Code.INVALID_ARGUMENT, "It is not offered. "));

    expect(error.message).toBe('Could not deploy "m": It is not offered.');
  });

  it.each([
    { kind: "gRPC PERMISSION_DENIED", code: Code.PERMISSION_DENIED, step: GRANT },
    { kind: "HTTP 403", code: 403, step: GRANT },
    { kind: "gRPC UNAUTHENTICATED", code: Code.UNAUTHENTICATED, step: LOGIN },
    { kind: "HTTP 401", code: 401, step: LOGIN },
    {
      kind: "a full quota",
      code: Code.RESOURCE_EXHAUSTED,
      step: "Ask for more of that quota, use another acceleratorType or region, or free what uses it.",
    },
    {
      kind: "an unreachable server",
      code: Code.UNAVAILABLE,
      step: "Run the same command again; nothing is made twice.",
    },
  ])("adds what to do next for $kind", ({ code, step }) => {
    const error = explain('deploy "m"', grpcError(code, "No"));

    expect(error.message).toBe(`Could not deploy "m": No. ${step}`);
  });

  it.each([
    {
      kind: "a region without free machines",
      words: "There are not enough machines of the requested type available",
      step: "Run the same command again later, or use another acceleratorType, machineType or region.",
    },
    {
      kind: "a rate limit",
      words: "Quota exceeded for limit 'Online requests per minute'",
      step: "Google was asked too often: run the same command again in a minute; nothing is made twice.",
    },
  ])("tells $kind from a full quota", ({ words, step }) => {
    const error = explain('deploy "m"', grpcError(Code.RESOURCE_EXHAUSTED, words));

    expect(error.message).toBe(`Could not deploy "m": ${words}. ${step}`);
  });

  it("passes an error that is explained already", () => {
    const explained = new ReconcileError("Could not use it.");

    expect(explain('deploy "m"', explained)).toBe(explained);
  });

  it.each([
    { case: "an error with its request", error: withRequest(new Error("socket hang up")) },
    { case: "a bare object with its request", error: withRequest({}) },
  ])("leaks neither header nor token of $case", ({ error }) => {
    const explained = explain('upload "m"', error);

    expect(`${explained.message} ${explained.stack} ${explained}`).not.toMatch(
      /Bearer|ya29|authorization/i,
    );
  });

  it("prints no stack trace where Pulumi prints the error and its stack", () => {
    const explained = explain('read "m"', grpcError(Code.INVALID_ARGUMENT, "Broken"));

    expect(`${explained}: ${explained.stack}`).toBe(
      'vertex-diffusion: Could not read "m": Broken.',
    );
  });
});

/** What HTTP clients hang on their errors. */
function withRequest<T extends object>(error: T): T {
  return Object.assign(error, {
    config: { headers: { authorization: "Bearer ya29.secret" } },
    response: { headers: { "x-token": "ya29.secret" } },
  });
}

describe("codeOf", () => {
  it.each([
    { error: grpcError(Code.NOT_FOUND, "gone"), code: 5 },
    { error: Object.assign(new Error("gone"), { code: 404 }), code: 404 },
    { error: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), code: undefined },
    { error: new Error("other"), code: undefined },
    { error: null, code: undefined },
    { error: "text", code: undefined },
  ])("of $error is $code", ({ error, code }) => {
    expect(codeOf(error)).toBe(code);
  });
});

describe("not found", () => {
  it.each([
    { kind: "gRPC NOT_FOUND", code: Code.NOT_FOUND },
    { kind: "HTTP 404", code: 404 },
  ])("is $kind", ({ code }) => {
    const error = grpcError(code, "gone");

    expect(isNotFound(error)).toBe(true);
    expect(nullIfNotFound(error)).toBeNull();
  });

  it.each([
    { kind: "UNAVAILABLE", error: grpcError(Code.UNAVAILABLE, "later") },
    { kind: "HTTP 503", error: grpcError(503, "later") },
    {
      kind: "a refused connection",
      error: Object.assign(new Error("no"), { code: "ECONNREFUSED" }),
    },
  ])("is never $kind: that says nothing about what exists", ({ error }) => {
    expect(isNotFound(error)).toBe(false);
    expect(() => nullIfNotFound(error)).toThrow(error);
  });
});

describe("detailOf", () => {
  it.each([
    { case: "gRPC details", error: grpcError(3, "details"), detail: "details" },
    { case: "an error's message", error: new Error("message"), detail: "message" },
    { case: "text", error: "text", detail: "text" },
    {
      case: "no more of an address than its host: an upload's is a key",
      error: new Error(
        "request to https://storage.googleapis.com/upload/b/o?upload_id=K failed, reason: read ECONNRESET",
      ),
      detail: "request to https://storage.googleapis.com failed, reason: read ECONNRESET",
    },
    {
      case: "no web page",
      error: new Error("<!DOCTYPE html><html>Service error</html>"),
      detail: "the server answered with a web page",
    },
    {
      case: "of a connection that never was, why",
      error: grpcError(
        14,
        "No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:39573. Resolution note:",
      ),
      detail: "there is no connection (connect ECONNREFUSED 127.0.0.1:39573)",
    },
    { case: "an object that says nothing", error: { code: 3 }, detail: "an unknown error" },
  ])("takes $case", ({ error, detail }) => {
    expect(detailOf(error)).toBe(detail);
  });
});
