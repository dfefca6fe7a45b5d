import { attemptCheck, verdictsOf } from "./check-loop.ts";
import type { Verdict } from "./check-loop.ts";
import type { Check, Checks } from "./checks.ts";
import { pause } from "./pause.ts";
import type { ServerLog } from "./server-log.ts";
import type { Launch } from "./server-runtime.ts";
import type { ServerProcess } from "./server-process.ts";

/** Why a container is over, and another one is to be started in its place. */
export interface ContainerEnd {
  readonly why: string;
  /** This many in a row fail a deploy, since another try would end the same way. Without one it goes on to its deadline. */
  readonly limit?: number;
  /** What kept it from running at all. */
  readonly error?: unknown;
}

export interface ContainerWatch {
  readonly running: ServerProcess;
  readonly checks: Checks;
  readonly log: ServerLog;
  /** Length of the log before the process started. */
  readonly logged: number;
  /** Ends the checks. The process is watched to its own end. */
  readonly signal: AbortSignal;
  /** Told at each attempt of the health check that reaches a threshold. */
  readonly onHealth: (verdict: Verdict) => void;
}

/** A second failed load of the same bytes shows that a third would fail too. */
const FAILED_LOADS = 2;
const FAILED_STARTS = 2;
/** Another process took a port between its choice and its use: the next start chooses others. */
const LOST_PORTS = 3;
const LOAD_POLL_MS = 200;

/** Checks a running container as Vertex does, and resolves when it must be restarted. */
export async function watchContainer(watch: ContainerWatch): Promise<ContainerEnd> {
  const end = Promise.withResolvers<ContainerEnd>();
  void watch.running.exited().then(() => end.resolve(exitOf(watch)));
  void watchLoad(watch, end.resolve);
  void watchChecks(watch, end.resolve);
  return end.promise;
}

function exitOf({ log, logged }: ContainerWatch): ContainerEnd {
  if (/address already in use/i.test(log.read(logged))) {
    return { why: "a port that it had chosen was taken", limit: LOST_PORTS };
  }
  return { why: "its process ended", limit: FAILED_STARTS };
}

/** Until the model is loaded, the server's log tells whether it ever will be. */
async function watchLoad(
  { running, log, logged, signal }: ContainerWatch,
  end: (end: ContainerEnd) => void,
): Promise<void> {
  const { failedLoad, isModelLoaded } = running.launch;
  if (failedLoad === undefined) return;
  while (!signal.aborted && !(await isModelLoaded?.())) {
    const failures = log.read(logged).match(failedLoad)?.length ?? 0;
    if (failures >= FAILED_LOADS) {
      end({ why: "loading the model failed repeatedly", limit: 1 });
      return;
    }
    await pause(LOAD_POLL_MS, signal);
  }
}

async function watchChecks(watch: ContainerWatch, end: (end: ContainerEnd) => void): Promise<void> {
  const { startup, health, liveness } = watch.checks;
  const restart = ({ name, failureThreshold }: Check): void =>
    end({ why: `the ${name} failed ${failureThreshold} times in a row` });
  if (startup !== undefined) {
    for await (const verdict of verdicts(watch, startup)) {
      if (verdict === "passing") break;
      restart(startup);
      return;
    }
  }
  const watchLiveness = async (): Promise<void> => {
    for await (const verdict of verdicts(watch, liveness)) {
      if (verdict === "passing") continue;
      restart(liveness);
      return;
    }
  };
  let isLivenessDue = !liveness.isDefault || watch.running.launch.listensLate !== true;
  if (isLivenessDue) void watchLiveness();
  for await (const verdict of verdicts(watch, health, loadedOnce(watch.running.launch))) {
    watch.onHealth(verdict);
    if (isLivenessDue || verdict === "failing") continue;
    isLivenessDue = true;
    void watchLiveness();
  }
}

function verdicts(
  { running, signal }: ContainerWatch,
  check: Check,
  isReady?: () => Promise<boolean>,
): AsyncGenerator<Verdict> {
  const { url } = running.launch;
  const attempt = async (): Promise<boolean> =>
    ((await isReady?.()) ?? true) && (await attemptCheck(check.action, url, check.timeoutMs));
  return verdictsOf(check, attempt, signal);
}

/** A server may call itself healthy before its model is loaded; once it is, the server's word counts. */
function loadedOnce({ isModelLoaded }: Launch): () => Promise<boolean> {
  let isLoaded = isModelLoaded === undefined;
  return async () => (isLoaded ||= (await isModelLoaded?.()) ?? true);
}
