import type { Clock } from "./clock.ts";
import { ApiError, HTTP_STATUS } from "./errors.ts";
import type { StatusName } from "./errors.ts";
import type { Call } from "./calls.ts";

/** What goes wrong with the next call of a method. */
export interface FaultRequest {
  /** Full name, or its end: "EndpointService.DeployModel", "DeployModel", "storage.objects.insert". */
  readonly method: string;
  /** Before the work, or after it was done (the answer is lost). @default "before" */
  readonly when?: "before" | "after";
  /** Refuse with this code. */
  readonly status?: StatusName;
  /** Drop the connection without an answer. */
  readonly reset?: boolean;
  /** Wait before anything else, milliseconds of the emulator's clock. */
  readonly delayMs?: number;
  /** Accept the call and let its operation fail at this deployment stage, with `status` (default INTERNAL). */
  readonly stage?: string;
  /** Accept the call and let its operation run until this fault is deleted. */
  readonly hold?: boolean;
  /** How many calls it hits. @default 1 */
  readonly times?: number;
  readonly message?: string;
}

export interface Fault extends FaultRequest {
  readonly id: string;
  /** Calls still to be hit. */
  left: number;
  /** Operations that it keeps from ending. */
  holding: number;
}

/** The faults declared and not used up, oldest first. */
export class Faults {
  readonly #clock: Clock;
  #faults: Fault[] = [];
  #nextId = 1;
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(): readonly Fault[] {
    return this.#faults;
  }

  add(request: FaultRequest): Fault {
    const fault = { ...request, id: String(this.#nextId++), left: request.times ?? 1, holding: 0 };
    this.#faults.push(fault);
    return fault;
  }

  /** Deletes one fault, or all; operations that it held go on. */
  remove(id?: string): void {
    const removed = this.#faults.filter((fault) => id === undefined || fault.id === id);
    this.#faults = this.#faults.filter((fault) => !removed.includes(fault));
    for (const fault of removed) {
      for (const release of this.#waiting.get(fault.id) ?? []) release();
      this.#waiting.delete(fault.id);
    }
  }

  /** Plays the faults of one call around its work. */
  async play<T>(call: Call, work: () => Promise<T>): Promise<T> {
    await this.#hit(call, "before");
    const answer = await work();
    await this.#hit(call, "after");
    return answer;
  }

  /** Called by an operation when it starts: takes the fault that will hold it or fail it at a stage, if there is one. */
  takeForOperation(method: string): Fault | undefined {
    return this.#take(method, (fault) => isForOperation(fault));
  }

  /** Waits until the fault is deleted. */
  async waitForRemoval(fault: Fault): Promise<void> {
    fault.holding += 1;
    if (!this.#faults.includes(fault)) this.#faults.push(fault);
    await new Promise<void>((resolve) => {
      this.#waiting.set(fault.id, [...(this.#waiting.get(fault.id) ?? []), resolve]);
    });
  }

  async #hit(call: Call, when: "before" | "after"): Promise<void> {
    const fault = this.#take(
      call.method,
      (one) => !isForOperation(one) && (one.when ?? "before") === when,
    );
    if (fault === undefined) return;
    await this.#clock.sleep(fault.delayMs ?? 0);
    if (fault.reset === true) {
      call.reset();
      throw new ApiError("UNAVAILABLE", "The connection was reset by a declared fault.");
    }
    if (fault.status !== undefined) throw faultError(fault);
  }

  #take(method: string, wanted: (fault: Fault) => boolean): Fault | undefined {
    const fault = this.#faults.find(
      (one) => one.left > 0 && matches(one.method, method) && wanted(one),
    );
    if (fault === undefined) return undefined;
    fault.left -= 1;
    if (fault.left === 0 && fault.holding === 0) {
      this.#faults = this.#faults.filter((one) => one !== fault);
    }
    return fault;
  }
}

/** The refusal that a fault declares. */
export function faultError(fault: Fault): ApiError {
  const status = fault.status ?? "INTERNAL";
  return new ApiError(status, fault.message ?? `Declared fault: ${status} for "${fault.method}".`);
}

/** Reads a fault from a control request. Throws ApiError INVALID_ARGUMENT. */
export function parseFault(json: unknown): FaultRequest {
  if (typeof json !== "object" || json === null) throw badFault("the body must be a JSON object");
  const fault = json as Record<string, unknown>;
  if (typeof fault["method"] !== "string" || fault["method"] === "")
    throw badFault("method is missing");
  const status = fault["status"];
  if (status !== undefined && !(typeof status === "string" && status in HTTP_STATUS)) {
    throw badFault(`status ${JSON.stringify(status)} is not a canonical code`);
  }
  const when = fault["when"];
  if (when !== undefined && when !== "before" && when !== "after") {
    throw badFault('when must be "before" or "after"');
  }
  const known = [
    "method",
    "when",
    "status",
    "reset",
    "delayMs",
    "stage",
    "hold",
    "times",
    "message",
  ];
  const foreign = Object.keys(fault).find((key) => !known.includes(key));
  if (foreign !== undefined) throw badFault(`"${foreign}" is not a field of a fault`);
  return fault as unknown as FaultRequest;
}

function badFault(problem: string): ApiError {
  return new ApiError("INVALID_ARGUMENT", `The fault was not declared: ${problem}.`);
}

function isForOperation(fault: Fault): boolean {
  return fault.stage !== undefined || fault.hold === true;
}

function matches(pattern: string, method: string): boolean {
  return method === pattern || method.endsWith(`.${pattern}`);
}
