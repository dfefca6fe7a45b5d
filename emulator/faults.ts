import type { Clock } from "./clock.ts";
import { ApiError, HTTP_STATUS } from "./errors.ts";
import type { StatusName } from "./errors.ts";
import type { Call } from "./calls.ts";

/** Google's own words for this are not known. */
const NO_CAPACITY =
  "There are not enough machines of the requested type available in the region now. Try again later, or use another machine type or region.";
const NO_CAPACITY_STAGE = "ADDING_NODES_TO_CLUSTER";

/** What goes wrong with the next call of a method. */
export interface FaultRequest {
  /** Full name, or its end: "EndpointService.DeployModel", "DeployModel", "storage.objects.insert". */
  readonly method: string;
  /** Only calls whose resource name holds this text, e.g. "/endpoints/100" or "us-east1". @default every call */
  readonly resource?: string;
  /** Before the work, or after it was done (the answer is lost). @default "before" */
  readonly when?: "before" | "after";
  /** Refuse with this code. */
  readonly status?: StatusName;
  /** Drop the connection without an answer. */
  readonly reset?: boolean;
  /** Wait before anything else, milliseconds of the emulator's clock. */
  readonly delayMs?: number;
  /** Give no answer until this fault is deleted, whatever the clock. */
  readonly stall?: boolean;
  /** Accept the call and let its operation fail at this deployment stage, with `status` (default INTERNAL). */
  readonly stage?: string;
  /** Accept the call and let its operation run until this fault is deleted. */
  readonly hold?: boolean;
  /** Accept the call and let its operation fail as in a region whose machines are all taken. */
  readonly noCapacity?: boolean;
  /** Kill the server process that the prediction was sent to, before it answers. */
  readonly kill?: boolean;
  /** How many calls it hits. @default 1 */
  readonly times?: number;
  readonly message?: string;
}

export interface Fault extends FaultRequest {
  readonly id: string;
  /** Calls still to be hit. */
  left: number;
  /** Operations that it keeps from ending, and calls that it keeps from their answer. */
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
  takeForOperation(method: string, resource: string): Fault | undefined {
    return this.#take({ method, resource }, isForOperation);
  }

  /** Called when a prediction is sent: whether its server is to be killed. */
  takeKill(method: string, resource: string): boolean {
    return this.#take({ method, resource }, isForServer) !== undefined;
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
      call,
      (one) => !isForOperation(one) && !isForServer(one) && (one.when ?? "before") === when,
    );
    if (fault === undefined) return;
    await this.#clock.sleep(fault.delayMs ?? 0);
    if (fault.stall === true) await this.waitForRemoval(fault);
    if (fault.reset === true) {
      call.reset();
      throw new ApiError("UNAVAILABLE", "The connection was reset by a declared fault.");
    }
    if (fault.status !== undefined) throw faultError(fault);
  }

  #take(
    call: Pick<Call, "method" | "resource">,
    wanted: (fault: Fault) => boolean,
  ): Fault | undefined {
    const fault = this.#faults.find((one) => one.left > 0 && matches(one, call) && wanted(one));
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
  const status = fault.status ?? (fault.noCapacity === true ? "RESOURCE_EXHAUSTED" : "INTERNAL");
  const message = fault.message ?? (fault.noCapacity === true ? NO_CAPACITY : undefined);
  return new ApiError(status, message ?? `Declared fault: ${status} for "${fault.method}".`);
}

/** Whether an operation with this fault fails when it has come to this stage. */
export function failsAt(fault: Fault | undefined, stage: string): boolean {
  const wanted = fault?.stage ?? (fault?.noCapacity === true ? NO_CAPACITY_STAGE : undefined);
  return wanted !== undefined && wanted === stage;
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === "string" && value !== "";
const isFlag: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => Number.isInteger(value) && Number(value) > 0;

/** Field -> what its value must be, and how to say so. */
const FIELDS: Readonly<Record<keyof FaultRequest, readonly [Check, string]>> = {
  method: [isText, "a method's name or its end"],
  resource: [isText, "a part of a resource name"],
  when: [(value) => value === "before" || value === "after", '"before" or "after"'],
  status: [(value) => isText(value) && String(value) in HTTP_STATUS, "a canonical code"],
  reset: [isFlag, "true or false"],
  delayMs: [(value) => typeof value === "number" && value >= 0, "a number of milliseconds"],
  stage: [isText, "a deployment stage"],
  stall: [isFlag, "true or false"],
  hold: [isFlag, "true or false"],
  noCapacity: [isFlag, "true or false"],
  kill: [isFlag, "true or false"],
  times: [isCount, "a whole number above 0"],
  message: [isText, "a text"],
};

/** Reads a fault from a control request. Throws ApiError INVALID_ARGUMENT. */
export function parseFault(json: unknown): FaultRequest {
  if (typeof json !== "object" || json === null) throw badFault("the body must be a JSON object");
  if (!("method" in json)) throw badFault("method is missing");
  for (const [name, value] of Object.entries(json)) {
    const field = FIELDS[name as keyof FaultRequest] as (typeof FIELDS)["method"] | undefined;
    if (field === undefined) throw badFault(`"${name}" is not a field of a fault`);
    const [isValid, form] = field;
    if (!isValid(value)) throw badFault(`${name} must be ${form}, got ${JSON.stringify(value)}`);
  }
  return json as FaultRequest;
}

function badFault(problem: string): ApiError {
  return new ApiError("INVALID_ARGUMENT", `The fault was not declared: ${problem}.`);
}

function isForOperation(fault: Fault): boolean {
  return fault.stage !== undefined || fault.hold === true || fault.noCapacity === true;
}

function isForServer(fault: Fault): boolean {
  return fault.kill === true;
}

function matches(fault: Fault, call: Pick<Call, "method" | "resource">): boolean {
  const isMethod = call.method === fault.method || call.method.endsWith(`.${fault.method}`);
  return isMethod && (fault.resource === undefined || call.resource.includes(fault.resource));
}
