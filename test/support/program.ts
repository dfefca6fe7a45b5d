import type { Disturbance } from "./program-disturbances.ts";
import { drifts, takeOwnThingsAway } from "./program-drifts.ts";
import { foreignThings } from "./program-foreign.ts";
import { Gate } from "./program-gate.ts";
import type { GatedResult } from "./program-gate.ts";
import { endpointOf, foreignDeployed, foreignObjects, versionsOf } from "./program-observation.ts";
import type { SeenCloud } from "./program-observation.ts";
import { displayNameOf, expectedAfterUp } from "./program-reference.ts";
import type { Wanted } from "./program-reference.ts";
import type { ProgramSession } from "./program-session.ts";
import { FIRST_SETTINGS, aliasOf, archiveObject } from "./program-settings.ts";
import type { ProgramSettings } from "./program-settings.ts";
import { wordsOf } from "./program-steps.ts";
import type { Run, Step } from "./program-steps.ts";
import {
  findChanges,
  findDifferences,
  findDuplicates,
  findLeftovers,
  findLies,
} from "./program-verify.ts";
import { emulatorState } from "./emulator.ts";

const TIMEOUT_SECONDS = 120;
/** Where an operation is to take longer. */
const SHORT_TIMEOUT_SECONDS = 0.5;

const UNDISTURBED: Run = { endpointFirst: false, disturbances: [] };

const NEVER: Disturbance = { kind: "hold", at: Infinity };

function isOfTime({ kind }: Disturbance): boolean {
  return kind === "hold";
}

/** One program on its way: what is declared so far. After each step all that must hold is looked at. */
export class Program {
  readonly #session: ProgramSession;
  readonly #gate: Gate;
  readonly #foreign: string;
  #settings: ProgramSettings = FIRST_SETTINGS;
  /** Stacks that were destroyed: the next one has another uid. */
  #destroyed = 0;

  private constructor(session: ProgramSession, foreign: string) {
    this.#session = session;
    this.#gate = new Gate(session);
    this.#foreign = foreign;
  }

  static async begin(session: ProgramSession): Promise<Program> {
    await session.begin();
    return new Program(session, foreignThings(await session.look()));
  }

  async take(step: Step): Promise<void> {
    this.#session.note(wordsOf(step));
    switch (step.kind) {
      case "drift":
        await this.#gate.settle();
        return drifts(this.#session, step.drift);
      case "up":
        this.#settings = { ...this.#settings, ...step.change };
        return this.#up(step);
      case "destroy":
        return this.#destroy(step);
    }
  }

  /** Whatever has happened: once what is in the way is gone, an up makes what is declared, and a destroy leaves nothing. */
  async end(upFirst: boolean): Promise<void> {
    if (upFirst) {
      await this.#gate.settle();
      await takeOwnThingsAway(this.#session, this.#wanted.stackUid);
      await this.take({ kind: "up", change: {}, ...UNDISTURBED });
    } else if (await this.#isAnythingInTheWay()) {
      await this.#gate.settle();
      await takeOwnThingsAway(this.#session, this.#wanted.stackUid);
    }
    await this.take({ kind: "destroy", ...UNDISTURBED });
  }

  async #isAnythingInTheWay(): Promise<boolean> {
    const cloud = await this.#session.look();
    return [...foreignDeployed(cloud), ...foreignObjects(cloud, this.#wanted.stackUid)].length > 0;
  }

  get #wanted(): Wanted {
    const digest = this.#session.digests[this.#settings.archive] ?? "";
    return { settings: this.#settings, digest, stackUid: `${this.#destroyed}bcdef012345` };
  }

  async #up(run: Run): Promise<void> {
    const before = await this.#session.look();
    const wanted = this.#wanted;
    const { result, calls, isDisturbed } = await this.#run("up", run, before);
    if (result === "killed") return;
    const inTheWay =
      foreignDeployed(before).length > 0 ||
      foreignObjects(before, wanted.stackUid).some(
        ({ name }) => name === archiveObject(wanted.digest),
      );
    if ("failed" in result) {
      expectClear(result.message);
      if (isDisturbed || inTheWay) return;
      throw new Error(`${result.failed} failed: ${result.message}`);
    }
    if (inTheWay) throw new Error("The up went well in spite of what is in its way.");
    const after = await this.#session.look();
    expectNone("is not as declared after up", [
      ...findDifferences(after, expectedAfterUp(before, wanted), wanted),
      ...findLies(this.#session.state, after, wanted),
      ...(isDisturbed ? [] : findRepeated(calls)),
    ]);
    await this.#expectNoChange(run, after);
  }

  /** The next up finds nothing to do. */
  async #expectNoChange(run: Run, before: SeenCloud): Promise<void> {
    // With the same time limits: they are written to the state.
    const disturbances = run.disturbances.filter(isOfTime).map(() => NEVER);
    const { result } = await this.#run("up", { ...run, disturbances }, before);
    if (result === "killed") throw new Error("Nobody killed it.");
    if ("failed" in result) throw new Error(`${result.failed} failed: ${result.message}`);
    const changed = Object.entries(result.done).filter(([, what]) => what !== "same");
    expectNone(
      "was changed by a second up",
      changed.map(([name, what]) => `${name}: ${what}`),
    );
    expectNone(
      "was changed in the cloud by a second up",
      findChanges(before, await this.#session.look()),
    );
  }

  async #destroy(run: Run): Promise<void> {
    const before = await this.#session.look();
    const { stackUid } = this.#wanted;
    const { result, isDisturbed } = await this.#run("destroy", run, before);
    if (result === "killed") return;
    const inTheWay =
      foreignDeployed(before).length > 0 || foreignObjects(before, stackUid).length > 0;
    if ("failed" in result) {
      expectClear(result.message);
      if (isDisturbed || inTheWay) return;
      throw new Error(`${result.failed} failed: ${result.message}`);
    }
    if (inTheWay) throw new Error("The destroy went well in spite of what is in its way.");
    expectNone(
      "is left after destroy",
      findLeftovers(this.#session.state, await this.#session.look(), stackUid),
    );
    this.#destroyed += 1;
  }

  /** Runs the engine; at each changing call and at the end it looks at what may never be. */
  async #run(command: "up" | "destroy", run: Run, before: SeenCloud): Promise<GatedResult> {
    const { endpointFirst, disturbances } = run;
    const isSlow = disturbances.some(isOfTime);
    const timeoutSeconds = isSlow ? SHORT_TIMEOUT_SECONDS : TIMEOUT_SECONDS;
    const declared = { ...this.#wanted, timeoutSeconds };
    const look = async () => this.#expectInvariants(command, before);
    const gated = await this.#gate.run({ command, declared, endpointFirst }, disturbances, look);
    await look();
    const { result, calls } = gated;
    this.#session.note(`   ${calls.join(", ")} -> ${JSON.stringify(result)}`);
    expectNone("was made anew though it is there", this.#findRemade(before, calls));
    await this.#expectForeignKept(before);
    return { ...gated, isDisturbed: gated.isDisturbed || isSlow };
  }

  async #expectInvariants(command: "up" | "destroy", before: SeenCloud): Promise<void> {
    const all = await emulatorState({ rest: this.#session.url });
    const { deployed, deploying, split } = endpointOf(all);
    const found = findDuplicates({ deployed, deploying, versions: versionsOf(all) });
    if (foreignThings({ ...before, all }) !== this.#foreign)
      found.push("somebody's things changed");
    const served = Object.values(before.split).some((share) => share > 0);
    const isServed = Object.values(split).reduce((sum, share) => sum + share, 0) === 100;
    if (command === "up" && this.#settings.rollout !== "recreate" && served && !isServed) {
      found.push(`the endpoint serves nobody: split ${JSON.stringify(split)}`);
    }
    expectNone("may never be", found);
  }

  /** Whatever else a run does: what somebody put between the stack's own things is as it was. */
  async #expectForeignKept(before: SeenCloud): Promise<void> {
    const after = await this.#session.look();
    const { stackUid } = this.#wanted;
    const foreign = (cloud: SeenCloud) =>
      JSON.stringify([foreignObjects(cloud, stackUid), foreignDeployed(cloud)]);
    if (foreign(after) !== foreign(before)) {
      throw new Error(`Of ${foreign(before)} the run left ${foreign(after)}.`);
    }
  }

  /** Deploys and uploads of what was there, or under way, when the run began. */
  #findRemade(before: SeenCloud, calls: readonly string[]): string[] {
    const wanted = this.#wanted;
    const isDeployed = [...before.deployed, ...before.deploying].some(
      ({ displayName, machineType }) =>
        displayName === displayNameOf(wanted) && machineType === wanted.settings.machine,
    );
    const alias = aliasOf(wanted.digest);
    const isUploaded = before.versions.some(({ aliases }) => aliases.includes(alias));
    return [
      ...(isDeployed && calls.includes("DeployModel") ? ["the deployed model"] : []),
      ...(isUploaded && calls.includes("UploadModel") ? ["the version"] : []),
    ];
  }
}

/** An up that nothing disturbs makes each thing with one call. */
function findRepeated(calls: readonly string[]): string[] {
  return [
    ...["storage.buckets.insert", "storage.objects.insert", "CreateEndpoint"],
    ...["UploadModel", "DeployModel", "MutateDeployedModel", "UpdateModel"],
  ]
    .map((method) => ({ method, times: calls.filter((call) => call === method).length }))
    .filter(({ times }) => times > 1)
    .map(({ method, times }) => `${method} was called ${times} times`);
}

/** What a person reads says what could not be done, and nothing of how it is programmed. */
function expectClear(message: string): void {
  const isClear =
    /^(Could not |The |"sha-)/.test(message) && !/\n|undefined|\[object|Error:/.test(message);
  if (!isClear) throw new Error(`The error says nothing to a person: ${message}`);
}

function expectNone(what: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${found.length} ${what}:\n${found.join("\n")}`);
}
