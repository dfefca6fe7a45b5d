import type { Call } from "./calls.ts";
import type { Clock } from "./clock.ts";
import { ApiError } from "./errors.ts";

/** One Google API call as it was answered. Nothing of bodies or headers is kept but the caller's own name for itself. */
export interface LoggedRequest {
  /** RFC 3339. */
  readonly time: string;
  readonly method: string;
  readonly resource: string;
  /** "OK" or a canonical code. */
  readonly status: string;
  /** Transport and client, e.g. "grpc gl-node/24.9.0", "rest Terraform". */
  readonly caller: string;
  readonly durationMs: number;
}

const KEPT = 10_000;

/** The last calls, oldest first. */
export class RequestLog {
  readonly #clock: Clock;
  #requests: LoggedRequest[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(): readonly LoggedRequest[] {
    return this.#requests;
  }

  clear(): void {
    this.#requests = [];
  }

  /** Does the work of a call and records how it ended. */
  async record<T>(call: Call, work: () => Promise<T>): Promise<T> {
    const time = this.#clock.now().toISOString();
    const startedMs = performance.now();
    let status = "OK";
    try {
      return await work();
    } catch (error) {
      status = error instanceof ApiError ? error.status : "INTERNAL";
      throw error;
    } finally {
      this.#requests.push({
        time,
        method: call.method,
        resource: call.resource,
        status,
        caller: call.caller,
        durationMs: Math.round(performance.now() - startedMs),
      });
      if (this.#requests.length > KEPT) this.#requests.shift();
    }
  }
}
