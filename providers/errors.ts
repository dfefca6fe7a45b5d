/** What a person reads when a resource could not be reconciled: one or two sentences, never a stack, a header or a body. */
export class ReconcileError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ReconcileError";
    // Pulumi's dynamic provider prints `${error}: ${error.stack}` for read, diff, check and delete.
    this.stack = message;
  }

  override toString(): string {
    return "vertex-diffusion";
  }
}

/** A change that Google accepted and whose end was not seen: deadline, lost connection, or the engine is gone. */
export class UnfinishedError extends ReconcileError {
  readonly pending: PendingOperation;

  constructor(message: string, pending: PendingOperation, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "UnfinishedError";
    this.pending = pending;
  }
}

/** A long-running operation that was still going when its resource was last written to the state. */
export interface PendingOperation {
  /** Operation resource name. */
  readonly operation: string;
  /** What it does: "uploadModel", "deployModel", ... */
  readonly kind: string;
  /** RFC 3339 time at which this project first saw it. */
  readonly startedAt: string;
}

/** google.rpc.Code numbers that the reconcilers act on. */
export const Code = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** The numeric code of a gRPC error or of an HTTP error of the storage client; undefined for anything else. */
export function codeOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "number" ? error.code : undefined;
}

/** True when Google says that the thing does not exist (gRPC NOT_FOUND, HTTP 404). */
export function isNotFound(error: unknown): boolean {
  const code = codeOf(error);
  return code === Code.NOT_FOUND || code === 404;
}

/** For `.catch(nullIfNotFound)`: null when the thing does not exist, rethrows everything else. */
export function nullIfNotFound(error: unknown): null {
  if (isNotFound(error)) return null;
  throw error;
}

/** The server's own words, without the code prefix that the gRPC client adds. Nothing else of an error is ever shown. */
export function detailOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error);
  const { details, message } = error as { details?: unknown; message?: unknown };
  const words = [details, message].find((text) => typeof text === "string" && text !== "");
  return typeof words === "string" ? words : "an unknown error";
}

/** What to try next, by code; empty when the server's words say it all. */
function nextStep(code: number | undefined): string {
  switch (code) {
    case Code.PERMISSION_DENIED:
    case 403:
      return 'Grant the caller "roles/aiplatform.admin" and "roles/storage.admin" on the project, then run the same command again.';
    case Code.UNAUTHENTICATED:
    case 401:
      return 'Run "gcloud auth application-default login" or set GOOGLE_OAUTH_ACCESS_TOKEN, then run the same command again.';
    case Code.RESOURCE_EXHAUSTED:
      return "Ask for more of that quota, use another acceleratorType or region, or free what uses it.";
    case Code.UNAVAILABLE:
      return "Run the same command again; nothing is made twice.";
    default:
      return "";
  }
}

/** `could not <action>: <server's words>. <next step>` as one ReconcileError; a ReconcileError passes unchanged. */
export function explain(action: string, error: unknown): ReconcileError {
  if (error instanceof ReconcileError) return error;
  const detail = detailOf(error).replace(/\.?\s*$/, ".");
  const step = nextStep(codeOf(error));
  return new ReconcileError(`Could not ${action}: ${detail}${step === "" ? "" : ` ${step}`}`, {
    cause: error,
  });
}
