import { setTimeout as delay } from "node:timers/promises";

import { emulatorState } from "./emulator.ts";
import { faultOf, isLongRunning } from "./program-disturbances.ts";
import type { Disturbance } from "./program-disturbances.ts";
import type { ProgramSession } from "./program-session.ts";

/** Every call that changes something; a run waits at the gate with each of them until it has been looked at. */
const CHANGING = [
  ...["storage.buckets.insert", "storage.buckets.patch", "storage.buckets.delete"],
  ...["storage.objects.insert", "storage.objects.delete"],
  ...["EndpointService.CreateEndpoint", "EndpointService.UpdateEndpoint"],
  ...["EndpointService.DeleteEndpoint", "EndpointService.DeployModel"],
  ...["EndpointService.UndeployModel", "EndpointService.MutateDeployedModel"],
  ...["ModelService.UploadModel", "ModelService.UpdateModel", "ModelService.DeleteModel"],
  ...["ModelService.DeleteModelVersion", "ModelService.MergeVersionAliases"],
] as const;

const POLL_MS = 10;
/** How long an operation is held while the engine waits for it, milliseconds. */
const HOLD_MS = 1_500;

interface Fault {
  readonly id: string;
  readonly method: string;
  readonly holding: number;
  readonly times?: number;
  /** Calls still to be hit. */
  readonly left: number;
}

/** The faults of one run: a stop at every changing call, or what the next disturbance does to it. */
export class Ambush {
  readonly calls: string[] = [];
  readonly #session: ProgramSession;
  readonly #waiting: Disturbance[];
  #others: string[] = [];
  /** Faults that stop the next call of each method, and how they do it. */
  #stops = new Map<string, string>();
  #stop: object = {};
  /** Changing calls since the last disturbance. */
  #passed = 0;
  #hits = 0;
  #leftHold: string | undefined;

  constructor(session: ProgramSession, disturbances: readonly Disturbance[]) {
    this.#session = session;
    this.#waiting = [...disturbances];
  }

  get isDisturbed(): boolean {
    return this.#hits > 0;
  }

  async lay(): Promise<void> {
    for (const one of this.#waiting) {
      const declared = faultOf(one);
      if (declared !== undefined) this.#others.push(await this.#declare(declared));
    }
    await this.#place();
  }

  /** The call that waits for its answer now, or whose operation is held. */
  async findStopped(): Promise<Fault | undefined> {
    const faults = await this.#faults();
    return faults.find(({ id, holding }) => holding > 0 && [...this.#stops.values()].includes(id));
  }

  /** Does to the stopped call what is its lot. True when the run was killed. */
  async goOn(stopped: Fault): Promise<boolean> {
    const method = stopped.method.replace(/^.*Service\./, "");
    this.calls.push(method);
    const due = this.#due;
    if (due === undefined) {
      this.#passed += 1;
      await this.#replace(stopped);
      return false;
    }
    this.#hits += 1;
    this.#passed = 0;
    this.#waiting.splice(this.#waiting.indexOf(due), 1);
    this.#session.note(`   at ${method}: ${due.kind}`);
    switch (due.kind) {
      case "kill":
        await this.#kill(stopped, due);
        return true;
      case "restart":
        if (due.when === "after") await this.#letThrough(stopped, { stall: true, when: "after" });
        await this.#session.restartEmulator("SIGKILL");
        // The new one knows none of the old one's faults, and counts from 1 again.
        this.#others = [];
        this.#stops.clear();
        await this.#place();
        return false;
      case "hold": {
        const hold = isLongRunning(stopped.method)
          ? { hold: true }
          : { stall: true, when: "after" };
        const held = await this.#letThrough(stopped, hold);
        await delay(HOLD_MS);
        await this.#remove(held);
        return false;
      }
      default:
        await this.#refuse(stopped, due);
        return false;
    }
  }

  async #kill(stopped: Fault, due: Extract<Disturbance, { kind: "kill" }>): Promise<void> {
    const { moment, release } = due;
    const isHeld = moment === "running" && isLongRunning(stopped.method);
    let held = stopped.id;
    if (isHeld) held = await this.#letThrough(stopped, { hold: true });
    else if (moment === "running" || moment === "after") {
      held = await this.#letThrough(stopped, { stall: true, when: "after" });
    }
    await this.#session.killWorker();
    if (isHeld && release === "next") this.#leftHold = held;
    else if (held === stopped.id) await this.#endUnheard(stopped);
    else await this.#remove(held);
  }

  /** Before its work the call was stopped by a fault that refuses it; after its work and for the tries that follow comes one. */
  async #refuse(stopped: Fault, due: Disturbance): Promise<void> {
    const { method } = stopped;
    if (due.kind === "reset" && due.when === "after") {
      this.#others.push(await this.#declare({ method, reset: true, when: "after" }));
    }
    if (due.kind === "refuse") {
      const { status, when } = due;
      const times = when === "before" ? due.times - 1 : due.times;
      if (times > 0) this.#others.push(await this.#declare({ method, status, when, times }));
    }
    await this.#replace(stopped);
  }

  /** Lets a stopped call go on to another fault, and waits until it is there, or was answered. Answers the fault's id. */
  async #letThrough(stopped: Fault, fault: object): Promise<string> {
    const id = await this.#declare({ method: stopped.method, ...fault });
    await this.#place(stopped);
    const answered = await this.#countAnswers(stopped);
    await this.#remove(stopped.id);
    for (;;) {
      const isThere = (await this.#faults()).some((one) => one.id === id && one.holding > 0);
      if (isThere || (await this.#countAnswers(stopped)) > answered) return id;
      await delay(POLL_MS);
    }
  }

  /** Takes everything away but the hold that is left for the next run; answers that hold. */
  async clear(): Promise<string | undefined> {
    const left = this.#leftHold;
    const faults = await this.#faults();
    for (const { id, times, left: remaining } of faults) {
      if (this.#others.includes(id) && remaining < (times ?? 1)) this.#hits += 1;
    }
    this.#hits += this.#others.filter((id) => !faults.some((one) => one.id === id)).length;
    const gone = faults.filter(({ id }) => id !== left);
    await Promise.all(gone.map(({ id }) => this.#remove(id)));
    await untilIdle(this.#session, left === undefined ? 0 : 1);
    return left;
  }

  get #due(): Disturbance | undefined {
    const next = this.#waiting.find((one) => "at" in one);
    return next !== undefined && "at" in next && next.at === this.#passed ? next : undefined;
  }

  /** Lets a stopped call go on once what stops the next ones is there. */
  async #replace(stopped: Fault): Promise<void> {
    await this.#place(stopped);
    await this.#remove(stopped.id);
  }

  /** The work of a call whose caller was killed is done, or not, a moment later. */
  async #endUnheard(stopped: Fault): Promise<void> {
    const answered = await this.#countAnswers(stopped);
    await this.#remove(stopped.id);
    while ((await this.#countAnswers(stopped)) === answered) await delay(POLL_MS);
  }

  async #countAnswers({ method }: Fault): Promise<number> {
    const { requests } = (await this.#session.control("GET", "requests")) as {
      requests: { method: string }[];
    };
    return requests.filter((one) => one.method.endsWith(method)).length;
  }

  /** Has the next call of every method stopped as what is due needs it; the fault that stops one now stays. */
  async #place(stopped?: Fault): Promise<void> {
    const stop = stopOf(this.#due);
    const isSame = JSON.stringify(stop) === JSON.stringify(this.#stop);
    this.#stop = stop;
    const before = new Map(this.#stops);
    const missing = CHANGING.filter(
      (method) => !isSame || !before.has(method) || method === stopped?.method,
    );
    await Promise.all(
      missing.map(async (method) =>
        this.#stops.set(method, await this.#declare({ method, ...stop })),
      ),
    );
    const old = missing.filter((method) => method !== stopped?.method);
    await Promise.all(old.map((method) => this.#remove(before.get(method))));
  }

  async #faults(): Promise<Fault[]> {
    return ((await this.#session.control("GET", "faults")) as { faults: Fault[] }).faults;
  }

  async #remove(id: string | undefined): Promise<void> {
    if (id !== undefined) await this.#session.control("DELETE", `faults?id=${id}`);
  }

  async #declare(fault: object): Promise<string> {
    const { id } = (await this.#session.control("POST", "faults", fault)) as { id: string };
    return id;
  }
}

/** How the next changing call is stopped: plainly, or so that it is refused when it goes on. */
function stopOf(due: Disturbance | undefined): object {
  if (due?.kind === "kill" && due.moment === "never") return { stall: true, status: "UNAVAILABLE" };
  if (due?.kind === "refuse" && due.when === "before") return { stall: true, status: due.status };
  if (due?.kind === "reset" && due.when === "before") return { stall: true, reset: true };
  return { stall: true };
}

/** Waits until no more operations are under way than are held. */
export async function untilIdle(session: ProgramSession, held: number): Promise<void> {
  for (;;) {
    const { operations } = await emulatorState({ rest: session.url });
    if (operations.filter(({ done }) => !done).length <= held) return;
    await delay(POLL_MS);
  }
}
