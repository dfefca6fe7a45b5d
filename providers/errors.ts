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

/** A failed long-running operation, with the code that Google put in its error. */
export class OperationFailedError extends ReconcileError {
  readonly code: number;

  constructor(what: string, code: number, message: string) {
    const ended = message.replace(/\.?\s*$/, ".");
    const step = code === Code.RESOURCE_EXHAUSTED ? ` ${exhaustedStep(message)}` : "";
    super(`The ${what} failed: ${ended}${step}`);
    this.name = "OperationFailedError";
    this.code = code;
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
  if (typeof error !== "object" || error === null) return undefined;
  const { code, status } = error as { code?: unknown; status?: unknown };
  // A failed request of the storage client's upload session has its HTTP status as text, or beside the code.
  const number = [code, status].find((one) => typeof one === "number" || /^\d+$/.test(String(one)));
  return number === undefined ? undefined : Number(number);
}

/** Codes of Node's sockets and of the clients on top of them for a connection that ended or never was. */
const LOST_CONNECTIONS: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ERR_STREAM_PREMATURE_CLOSE",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Whether the connection was lost, also where a client has wrapped the socket's error. */
function isLostConnection(error: unknown): boolean {
  for (let one = error; typeof one === "object" && one !== null;) {
    const { code, cause } = one as { code?: unknown; cause?: unknown };
    if (LOST_CONNECTIONS.has(code)) return true;
    one = cause;
  }
  return false;
}

const TRANSIENT: ReadonlySet<number> = new Set([
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.ABORTED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
  408,
]);

/** Whether the server was unreachable or confused: the same call may go well a moment later. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return isLostConnection(error);
  return TRANSIENT.has(code) || (code >= 500 && code < 600);
}

/** Whether Google was asked too often (HTTP 429, a quota of requests per minute): other than a full GPU quota, that passes. */
export function isRateLimit(error: unknown): boolean {
  const code = codeOf(error);
  if (code === 429) return true;
  if (code !== Code.RESOURCE_EXHAUSTED) return false;
  const { reason } = error as { reason?: unknown };
  return reason === "RATE_LIMIT_EXCEEDED" || RATE.test(detailOf(error));
}

const RATE = /per[ _](second|minute|hour)|[ _]requests?\b.* per |rate limit|too many requests/i;

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

/**
 * The server's own words, without the code prefix that the gRPC client adds. Nothing else of an error is ever shown, and of
 * an address only the host: an upload session's address is a key to it.
 */
export function detailOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error);
  const { details, message } = error as { details?: unknown; message?: unknown };
  const words = [details, message].find((text) => typeof text === "string" && text !== "");
  return typeof words === "string" ? withoutSecrets(words) : "an unknown error";
}

/** How the gRPC client says it, with notes to its own programmers. */
const NO_CONNECTION =
  /^No connection established\. Last error: (?:Error: )?(.*?)\.? Resolution note:.*$/s;

function withoutSecrets(words: string): string {
  if (/<html|<!doctype/i.test(words)) return "the server answered with a web page";
  return words
    .replace(NO_CONNECTION, "there is no connection ($1)")
    .replace(/(https?:\/\/[^\s/?#"'<>]+)[^\s"'<>]*/g, "$1")
    .replace(/upload_id[=:]\S*/g, "upload_id")
    .replace(/Bearer\s+\S+|ya29\.\S+/gi, "a token");
}

/** What to try next when Google has no more to give. */
export function exhaustedStep(words: string): string {
  if (/not enough|capacity|stockout/i.test(words)) {
    return "Run the same command again later, or use another acceleratorType, machineType or region.";
  }
  return "Ask for more of that quota, use another acceleratorType or region, or free what uses it.";
}

/** What to try next; empty when the server's words say it all. */
export function nextStep(error: unknown): string {
  if (isRateLimit(error)) {
    return "Google was asked too often: run the same command again in a minute; nothing is made twice.";
  }
  if (isTransient(error)) return "Run the same command again; nothing is made twice.";
  switch (codeOf(error)) {
    case Code.PERMISSION_DENIED:
    case 403:
      return 'Grant the caller "roles/aiplatform.admin" and "roles/storage.admin" on the project, then run the same command again.';
    case Code.UNAUTHENTICATED:
    case 401:
      return 'Run "gcloud auth application-default login" or set GOOGLE_OAUTH_ACCESS_TOKEN, then run the same command again.';
    case Code.RESOURCE_EXHAUSTED:
      return exhaustedStep(detailOf(error));
    default:
      return "";
  }
}

/** `could not <action>: <server's words>. <next step>` as one ReconcileError; a ReconcileError passes unchanged. */
export function explain(action: string, error: unknown): ReconcileError {
  if (error instanceof ReconcileError) return error;
  const detail = detailOf(error).replace(/\.?\s*$/, ".");
  const step = nextStep(error);
  return new ReconcileError(`Could not ${action}: ${detail}${step === "" ? "" : ` ${step}`}`, {
    cause: error,
  });
}
