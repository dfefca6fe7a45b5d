import type { CallOptions } from "google-gax";

import { cancelled, showProgress } from "./engine.ts";
import {
  OperationFailedError,
  ReconcileError,
  UnfinishedError,
  detailOf,
  isNotFound,
  nextStep,
} from "./errors.ts";
import { patienceMs, pause, pollIntervalMs } from "./patience.ts";
import type { TimeLimit } from "./time-limits.ts";

export { OperationFailedError } from "./errors.ts";

/** google.longrunning.Operation as the clients decode it. */
interface RawOperation {
  name?: string | null;
  done?: boolean | null;
  error?: { code?: number | null; message?: string | null } | null;
  metadata?: { type_url?: string | null; value?: Uint8Array | string | null } | null;
}

/** The part of a generated client that operations need. */
export interface OperationsOwner {
  readonly operationsClient: {
    getOperation(request: { name: string }, options: CallOptions): Promise<unknown>;
    listOperations(
      request: { name: string; filter: string },
      options: CallOptions,
    ): Promise<unknown>;
  };
  readonly descriptors: {
    readonly longrunning: Record<string, { metadataDecoder: (bytes: Buffer) => unknown }>;
  };
}

/** A change that Google accepted: what the waiter needs to follow it. */
export interface Accepted {
  readonly operation: string;
  /** Method of the client, as in `descriptors.longrunning`: "deployModel". */
  readonly kind: string;
  readonly startedAt: string;
}

export interface WaitOptions {
  /** Longest wait, counted from the first look at the operation in this process. */
  readonly limit: TimeLimit;
  /** Resource whose Info column shows stage and elapsed time. */
  readonly urn?: string;
  /** What is awaited, in words: `deployment of "sd-dev" to endpoint "41"`. */
  readonly what: string;
}

/** One try per poll: the waiter itself decides how long to go on. */
const ONCE: CallOptions = { timeout: 15_000, retry: null };

/**
 * Starts a change; the generated client's own polling is not used, since it can't be resumed in another process. Throws
 * when the run was cancelled: what has begun is left as it is, nothing more is begun.
 */
export async function accept(
  kind: string,
  call: () => Promise<[{ name?: string | undefined }, ...unknown[]]>,
): Promise<Accepted> {
  if (cancelled.aborted) {
    throw new ReconcileError(
      `The run was cancelled before ${kind} was called. Run "up" again; it goes on from here.`,
    );
  }
  const [operation] = await call();
  return { operation: operation.name ?? "", kind, startedAt: new Date().toISOString() };
}

/**
 * Waits until the operation has ended. Throws OperationFailedError when it failed, UnfinishedError when its end could not
 * be seen. An operation that Google no longer knows counts as ended: the caller decides from the objects.
 */
export async function waitFor(
  client: OperationsOwner,
  accepted: Accepted,
  options: WaitOptions,
): Promise<void> {
  const startedAt = Date.now();
  const deadline = startedAt + options.limit.seconds * 1000;
  let lostSince: number | undefined;
  for (;;) {
    let operation: RawOperation | null = null;
    try {
      operation = await getOperation(client, accepted.operation);
      if (operation === null) return;
      lostSince = undefined;
    } catch (error) {
      // Whatever the answer: the change was accepted and may still run, so it is never lost sight of.
      lostSince ??= Date.now();
      if (Date.now() - lostSince >= patienceMs()) throw outOfSight(accepted, options, error);
    }
    if (operation?.done) {
      if (operation.error?.code) {
        throw new OperationFailedError(
          options.what,
          operation.error.code,
          operation.error.message ?? "",
        );
      }
      return;
    }
    const elapsed = Math.round((Date.now() - startedAt) / 1000);
    const stage =
      operation === null ? "waiting for an answer" : stageOf(client, accepted, operation);
    showProgress(options.urn, `${stage} (${elapsed} s)`);
    if (Date.now() >= deadline) {
      throw overdue(accepted, options);
    }
    await pause(Math.min(pollIntervalMs(), Math.max(50, deadline - Date.now())));
    if (cancelled.aborted) throw unfinished(accepted, options, "the run was cancelled");
  }
}

function unfinished(accepted: Accepted, options: WaitOptions, why: string): UnfinishedError {
  return new UnfinishedError(
    `The ${options.what} is not finished: ${why}. Operation "${accepted.operation}" may still run; run the same command again, it waits for that operation and does nothing twice.`,
    accepted,
  );
}

function overdue(accepted: Accepted, options: WaitOptions): UnfinishedError {
  const { setting, seconds, isRecorded } = options.limit;
  const whose = isRecorded ? `${setting} of the last "up"` : setting;
  const { message } = unfinished(
    accepted,
    options,
    `it did not finish within ${seconds} s (${whose})`,
  );
  // Before a delete, another "up" would make anew what is half deleted: the same command is all that helps.
  const longer = `For a longer wait, "npm run pulumi -- config set ${setting} ${2 * seconds}".`;
  return new UnfinishedError(isRecorded ? message : `${message} ${longer}`, accepted);
}

function outOfSight(accepted: Accepted, options: WaitOptions, error: unknown): UnfinishedError {
  const why = detailOf(error).replace(/\.?\s*$/, "");
  const step = nextStep(error);
  const seconds = Math.round(patienceMs() / 1000);
  const { message } = unfinished(
    accepted,
    options,
    `Google did not say for ${seconds} s how it goes on (${why})`,
  );
  return new UnfinishedError(`${message}${step === "" ? "" : ` ${step}`}`, accepted, {
    cause: error,
  });
}

async function getOperation(client: OperationsOwner, name: string): Promise<RawOperation | null> {
  try {
    const [operation] = (await client.operationsClient.getOperation({ name }, ONCE)) as [
      RawOperation,
    ];
    return operation;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Deploys say their stage; everything else its kind. */
function stageOf(client: OperationsOwner, accepted: Accepted, operation: RawOperation): string {
  const value = operation.metadata?.value;
  const decoder = client.descriptors.longrunning[accepted.kind]?.metadataDecoder;
  if (value && decoder) {
    const metadata = decoder(Buffer.from(value as Uint8Array)) as { deploymentStage?: unknown };
    const stage = metadata.deploymentStage;
    const name = typeof stage === "number" ? STAGES[stage] : stage;
    if (typeof name === "string" && name !== "" && name !== STAGES[0]) return name;
  }
  return accepted.kind;
}

/** google.cloud.aiplatform.v1.DeploymentStage, by number (deployment_stage.proto). */
const STAGES: Readonly<Record<number, string>> = {
  0: "DEPLOYMENT_STAGE_UNSPECIFIED",
  5: "STARTING_DEPLOYMENT",
  6: "PREPARING_MODEL",
  7: "CREATING_SERVING_CLUSTER",
  8: "ADDING_NODES_TO_CLUSTER",
  9: "GETTING_CONTAINER_IMAGE",
  3: "STARTING_MODEL_SERVER",
  4: "FINISHING_UP",
  10: "DEPLOYMENT_TERMINATED",
  11: "SUCCESSFULLY_DEPLOYED",
  12: "FAILED_TO_DEPLOY",
};

/**
 * Operations still running under a model or an endpoint, by metadata type. A parent that does not exist has none. Never
 * called from read or diff: it is a list over everything that ever ran there.
 */
export async function runningUnder(
  client: OperationsOwner,
  parent: string,
  kinds: readonly string[],
): Promise<Accepted[]> {
  let operations: RawOperation[];
  try {
    [operations] = (await client.operationsClient.listOperations(
      { name: parent, filter: "" },
      ONCE,
    )) as [RawOperation[]];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
  return operations.flatMap((operation) => {
    const kind = kinds.find((candidate) =>
      operation.metadata?.type_url?.endsWith(`.${metadataType(candidate)}`),
    );
    if (kind === undefined || operation.done || !operation.name) return [];
    return [{ operation: operation.name, kind, startedAt: new Date().toISOString() }];
  });
}

/** "deployModel" -> "DeployModelOperationMetadata"; all deletes share one type. */
function metadataType(kind: string): string {
  if (kind.startsWith("delete")) return "DeleteOperationMetadata";
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}OperationMetadata`;
}

/** Waits for every operation of these kinds under the parent, whether it ends well or not. */
export async function waitForRunning(
  client: OperationsOwner,
  parent: string,
  kinds: readonly string[],
  options: WaitOptions,
): Promise<void> {
  for (const accepted of await runningUnder(client, parent, kinds)) {
    await waitForEnd(client, accepted, options);
  }
}

/**
 * Waits for an operation that somebody else, or an earlier run, left running, whether it ends well or not: what it made
 * or did not make is seen from the objects, and a failed one must not stop every later run.
 */
export async function waitForEnd(
  client: OperationsOwner,
  accepted: Accepted,
  options: WaitOptions,
): Promise<void> {
  try {
    await waitFor(client, accepted, options);
  } catch (error) {
    if (!(error instanceof OperationFailedError)) throw error;
  }
}
