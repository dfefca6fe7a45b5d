import type { Clock } from "../clock.ts";
import { ApiError } from "../errors.ts";
import { failsAt, faultError } from "../faults.ts";
import type { Fault, Faults } from "../faults.ts";
import type { MethodCall } from "./cloud.ts";
import { qualify } from "./descriptors.ts";
import type { Version } from "./descriptors.ts";
import { canonicalName, generateId } from "./names.ts";
import { RecordFolder } from "./record-folder.ts";
import type { Document, OperationRecord } from "./types.ts";

/** Progress of a running operation. */
export interface Progress {
  /** Enters a deployment stage and lets its time pass. Throws what a declared fault wants to happen there, and CANCELLED. */
  stage(name: string): Promise<void>;
  /** Records a stage without its time passing. */
  report(name: string): void;
  /** Aborted when the caller has cancelled the operation. */
  readonly signal: AbortSignal;
}

export interface StartOptions {
  readonly call: MethodCall;
  /** "EndpointService.DeployModel" */
  readonly method: string;
  /** Resource under which the operation is named. */
  readonly under: string;
  /** Resource that only one operation at a time may change. @default under */
  readonly target?: string;
  readonly metadataType: string;
  readonly metadata?: Document;
  readonly responseType: string;
  readonly run: (progress: Progress) => Promise<Document>;
  /** Undoes what was half done after a failure. */
  readonly onFailure?: () => void | Promise<void>;
}

export interface OperationsOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly stageMs: number;
}

interface Running {
  readonly ended: Promise<void>;
  readonly cancellation: AbortController;
}

const EMPTY = "google.protobuf.Empty";

/** Long-running operations: started, reported, kept. */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #records: RecordFolder<OperationRecord>;
  readonly #running = new Map<string, Running>();
  #closed = false;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#records = new RecordFolder(options.folder);
  }

  /** Ends what a stopped emulator left running: nobody works on it any more. Returns the names. */
  failInterrupted(): string[] {
    const interrupted = this.#records.list().filter((record) => !record.done);
    for (const record of interrupted) {
      this.#finish(record, {
        error: new ApiError(
          "ABORTED",
          "The operation was interrupted by a restart of the emulator. Call the method again.",
        ),
      });
    }
    return interrupted.map((record) => record.name);
  }

  /** Records the operation, starts its work and answers it as it stands at once, not done. */
  start(options: StartOptions): Document {
    const name = `${options.under}/operations/${generateId()}`;
    const now = this.#options.clock.now().toISOString();
    const record = this.#records.put({
      name,
      version: options.call.version ?? "v1",
      method: options.method,
      target: options.target ?? options.under,
      metadataType: options.metadataType,
      metadata: { genericMetadata: { createTime: now, updateTime: now }, ...options.metadata },
      done: false,
      responseType: options.responseType,
    });
    const fault = this.#options.faults.takeForOperation(options.call.method, options.under);
    const cancellation = new AbortController();
    const ended = this.#run(name, options, fault, cancellation.signal).finally(() =>
      this.#running.delete(name),
    );
    this.#running.set(name, { ended, cancellation });
    return toDocument(record);
  }

  /** Refuses with FAILED_PRECONDITION while another operation works on the resource. */
  checkIdle(target: string): void {
    // The recorded ones soon are thousands, of which few run.
    const other = [...this.#running.keys()]
      .map((name) => this.#records.get(name))
      .find((one) => one !== undefined && !one.done && one.target === target);
    if (other === undefined) return;
    throw new ApiError(
      "FAILED_PRECONDITION",
      `There are other operations running on the resource "${target}": "${other.name}". Try again when they have ended.`,
    );
  }

  /** Throws NOT_FOUND. */
  get(name: string): OperationRecord {
    const record = this.#records.get(canonicalName(name));
    if (record === undefined) {
      throw new ApiError("NOT_FOUND", `The operation "${name}" does not exist.`);
    }
    return record;
  }

  list(): OperationRecord[] {
    return this.#records.list();
  }

  delete(name: string): void {
    this.#records.delete(this.get(name).name);
  }

  /** Resolves when the operation has ended; at once when nothing runs under that name. */
  async wait(name: string): Promise<void> {
    await this.#running.get(canonicalName(name))?.ended;
  }

  /** Asks the operation to stop where it can: it ends with CANCELLED, or as it would have when it is past that. */
  cancel(name: string): void {
    const record = this.get(name);
    const error = new ApiError("CANCELLED", `The operation "${record.name}" was cancelled.`);
    this.#running.get(record.name)?.cancellation.abort(error);
  }

  /** Stops recording: what still runs ends unheard and is failed as interrupted at the next start. */
  close(): void {
    this.#closed = true;
    this.#records.close();
  }

  clear(): void {
    this.#records.clear();
  }

  async #run(
    name: string,
    options: StartOptions,
    fault: Fault | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      if (fault?.hold === true) {
        await untilAborted(this.#options.faults.waitForRemoval(fault), signal);
      }
      const response = await options.run(this.#progress(name, fault, signal));
      this.#finish(this.#records.get(name), { response });
    } catch (error) {
      if (!this.#closed) await options.onFailure?.();
      this.#finish(this.#records.get(name), { error });
    }
  }

  #progress(name: string, fault: Fault | undefined, signal: AbortSignal): Progress {
    const report = (stage: string): void => {
      const record = this.#records.get(name);
      if (record !== undefined && !this.#closed) {
        this.#records.put(this.#touched(record, { deploymentStage: stage }));
      }
    };
    return {
      report,
      signal,
      stage: async (stage) => {
        signal.throwIfAborted();
        if (stage !== "") report(stage);
        await untilAborted(this.#options.clock.sleep(this.#options.stageMs), signal);
        if (fault !== undefined && failsAt(fault, stage)) throw faultError(fault);
      },
    };
  }

  #finish(
    record: OperationRecord | undefined,
    outcome: { response: Document } | { error: unknown },
  ): void {
    if (record === undefined || this.#closed) return;
    const failed = "error" in outcome;
    const stage: Document =
      record.metadata["deploymentStage"] === undefined
        ? {}
        : { deploymentStage: failed ? "FAILED_TO_DEPLOY" : "SUCCESSFULLY_DEPLOYED" };
    const touched = { ...this.#touched(record, stage), done: true };
    if (failed) this.#records.put({ ...touched, error: toStatus(outcome.error) });
    else this.#records.put({ ...touched, response: outcome.response });
  }

  #touched(record: OperationRecord, more: Document): OperationRecord {
    const generic = record.metadata["genericMetadata"] as Document;
    const updateTime = this.#options.clock.now().toISOString();
    return {
      ...record,
      metadata: { ...record.metadata, ...more, genericMetadata: { ...generic, updateTime } },
    };
  }
}

/** The same, but rejects with the signal's reason as soon as it is aborted. */
async function untilAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  await Promise.race([wait, aborted]);
}

function toStatus(error: unknown): { code: number; message: string } {
  if (error instanceof ApiError) return { code: error.code, message: error.message };
  return { code: 13, message: error instanceof Error ? error.message : String(error) };
}

/** google.longrunning.Operation in proto JSON. `version` names the types when the caller asks in another version. */
export function toDocument(record: OperationRecord, version: Version = record.version): Document {
  return {
    name: record.name,
    metadata: { "@type": typeUrl(version, record.metadataType), ...record.metadata },
    done: record.done,
    ...(record.error === undefined ? {} : { error: { ...record.error } }),
    ...(record.response === undefined
      ? {}
      : { response: { "@type": typeUrl(version, record.responseType), ...record.response } }),
  };
}

function typeUrl(version: Version, shortName: string): string {
  return `type.googleapis.com/${shortName === EMPTY ? EMPTY : qualify(version, shortName)}`;
}
