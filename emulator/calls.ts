/** One API call as faults and the request log see it. */
export interface Call {
  /** Google's method name: "google.cloud.aiplatform.v1.ModelService.UploadModel", "storage.objects.insert". */
  readonly method: string;
  /** What it acts on: a resource name or "b/BUCKET/o/OBJECT". */
  readonly resource: string;
  /** Transport and client as the client names itself, e.g. "grpc gl-node/24.9.0". */
  readonly caller: string;
  /** Drops the caller's connection without an answer. */
  readonly reset: () => void;
}

/**
 * Runs the work of one call. What wraps it records the call and plays the faults declared for its method: an error or a
 * reset before the work, a delay, or an error or a reset after the work was done (the answer is lost).
 */
export type Around = <T>(call: Call, work: () => Promise<T>) => Promise<T>;
