import { ApiError, type StatusName } from "../errors.ts";

/** Reason strings of the JSON API's error bodies ("errors[].reason"). */
export type StorageReason =
  | "required"
  | "invalid"
  | "invalidParameter"
  | "badRequest"
  | "authError"
  | "forbidden"
  | "retentionPolicyNotMet"
  | "notFound"
  | "conflict"
  | "gone"
  | "lengthRequired"
  | "conditionNotMet"
  | "uploadTooLarge"
  | "requestedRangeNotSatisfiable"
  | "rateLimitExceeded"
  | "clientClosedRequest"
  | "backendError"
  | "notImplemented";

/** A refusal of Cloud Storage: an ApiError with the API's own HTTP status (412, 416, 304 ...) and reason. */
export class StorageError extends ApiError {
  readonly reason: StorageReason;
  readonly #httpStatus: number;

  constructor(status: StatusName, httpStatus: number, reason: StorageReason, message: string) {
    super(status, message);
    this.name = "StorageError";
    this.reason = reason;
    this.#httpStatus = httpStatus;
  }

  override get httpStatus(): number {
    return this.#httpStatus;
  }
}

export function invalid(message: string): StorageError {
  return new StorageError("INVALID_ARGUMENT", 400, "invalid", message);
}

export function required(parameter: string): StorageError {
  return new StorageError(
    "INVALID_ARGUMENT",
    400,
    "required",
    `Required parameter: ${parameter}. Send it with the request.`,
  );
}

export function noSuchBucket(): StorageError {
  return new StorageError("NOT_FOUND", 404, "notFound", "The specified bucket does not exist.");
}

export function noSuchObject(bucket: string, name: string): StorageError {
  return new StorageError("NOT_FOUND", 404, "notFound", `No such object: ${bucket}/${name}`);
}

export function noSuchUpload(uploadId: string): StorageError {
  return new StorageError(
    "NOT_FOUND",
    404,
    "notFound",
    `Upload "${uploadId}" does not exist: it was finished, aborted or has expired. Start a new upload.`,
  );
}

/** What Google serves and this does not: a method, or something that a request asks for. */
export function notServed(what: string): StorageError {
  return new StorageError(
    "UNIMPLEMENTED",
    501,
    "notImplemented",
    `${what} is not served by the local Cloud Storage.`,
  );
}

export function conflict(message: string): StorageError {
  return new StorageError("ALREADY_EXISTS", 409, "conflict", message);
}

export function conditionNotMet(): StorageError {
  return new StorageError(
    "FAILED_PRECONDITION",
    412,
    "conditionNotMet",
    "At least one of the pre-conditions you specified did not hold.",
  );
}

/** Answer of a read whose "not match" precondition failed: the caller has it already. */
export function notModified(): StorageError {
  return new StorageError("FAILED_PRECONDITION", 304, "conditionNotMet", "Not Modified");
}

const REASON_BY_HTTP_STATUS: Record<number, StorageReason> = {
  400: "badRequest",
  401: "authError",
  403: "forbidden",
  404: "notFound",
  409: "conflict",
  429: "rateLimitExceeded",
  499: "clientClosedRequest",
  501: "notImplemented",
};

/** The reason that the JSON API gives with this error; errors of other origin get the one of their HTTP status. */
export function reasonOf(error: ApiError): StorageReason {
  if (error instanceof StorageError) return error.reason;
  return REASON_BY_HTTP_STATUS[error.httpStatus] ?? "backendError";
}
