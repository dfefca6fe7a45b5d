import { ReconcileError, UnfinishedError } from "./errors.ts";
import type { PendingOperation } from "./errors.ts";

/** Shape number of the outputs that the reconcilers write; what an older one lacks is filled in (migrations.ts). */
export const SCHEMA = 2;

/** What every slow resource adds to its inputs. */
export interface Reconciled {
  readonly schema: number;
  /** The operation that was still running when the state was written; null when everything is done. */
  readonly pending: PendingOperation | null;
  /** What was changed by hand since the last `up`, in words; null when nothing was. */
  readonly drift: string | null;
}

/** Pulumi's marker for a value that a preview does not know yet, as check and diff see it. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A copy that Pulumi can store: one `undefined` anywhere would fail the step after the work was done. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/**
 * Turns an unfinished change into Pulumi's partial failure, which keeps the resource in the state with `pending` set, so
 * that the next `up` goes on where this one stopped. Any other error passes.
 */
export function asPartialFailure(error: unknown, id: string, properties: object): Error {
  if (error instanceof UnfinishedError) {
    return Object.assign(new ReconcileError(error.message), {
      id,
      properties: plain({ ...properties, pending: error.pending }),
      reasons: [error.message],
    });
  }
  return error instanceof Error ? error : new ReconcileError(String(error));
}

/** read's answer: an empty id means gone. */
export interface ReadResult<Outputs> {
  id: string;
  props?: Outputs;
  inputs?: Outputs;
}

/** read's answer while the first change is still running and there is nothing to observe: present, as recorded. */
export function stillPending<Outputs extends Reconciled>(id: string, recorded: Outputs) {
  return { id, props: plain(recorded) };
}
