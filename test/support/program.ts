import type { EngineResult } from "./program-engine.ts";
import type { SeenCloud } from "./program-observation.ts";
import { expectedAfterUp } from "./program-reference.ts";
import type { Wanted } from "./program-reference.ts";
import type { ProgramSession } from "./program-session.ts";
import { FIRST_SETTINGS } from "./program-settings.ts";
import type { ProgramSettings } from "./program-settings.ts";
import { wordsOf } from "./program-steps.ts";
import type { Step } from "./program-steps.ts";
import { findDifferences, findDuplicates, findLeftovers, findLies } from "./program-verify.ts";

const TIMEOUT_SECONDS = 120;

/** One program on its way: what is declared so far. After each step all that must hold is looked at. */
export class Program {
  readonly #session: ProgramSession;
  #settings: ProgramSettings = FIRST_SETTINGS;
  /** Stacks that were destroyed: the next one has another uid. */
  #destroyed = 0;

  constructor(session: ProgramSession) {
    this.#session = session;
  }

  async take(step: Step): Promise<void> {
    this.#session.note(wordsOf(step));
    switch (step.kind) {
      case "declare":
        this.#settings = { ...this.#settings, ...step.change };
        return;
      case "up":
        return this.#up(step.endpointFirst);
      case "destroy":
        return this.#destroy(step.endpointFirst);
    }
  }

  get #wanted(): Wanted {
    const digest = this.#session.digests[this.#settings.archive] ?? "";
    const stackUid = `${this.#destroyed}${"abcdef012345".slice(1)}`;
    return { settings: this.#settings, digest, stackUid };
  }

  async #up(endpointFirst: boolean): Promise<void> {
    const before = await this.#session.look();
    const result = await this.#run("up", endpointFirst);
    if ("failed" in result) throw new Error(`${result.failed} failed: ${result.message}`);
    const after = await this.#session.look();
    const wanted = this.#wanted;
    expectNone("is not as declared after up", [
      ...findDifferences(after, expectedAfterUp(before, wanted), wanted),
      ...findLies(this.#session.state, after, wanted),
      ...findDuplicates(after),
    ]);
    await this.#expectNoChange(endpointFirst, after);
  }

  /** The next up finds nothing to do. */
  async #expectNoChange(endpointFirst: boolean, before: SeenCloud): Promise<void> {
    const result = await this.#run("up", endpointFirst);
    if ("failed" in result) throw new Error(`${result.failed} failed: ${result.message}`);
    const changed = Object.entries(result.done).filter(([, what]) => what !== "same");
    expectNone(
      "was changed by a second up",
      changed.map(([name, what]) => `${name}: ${what}`),
    );
    const after = await this.#session.look();
    if (JSON.stringify(after) !== JSON.stringify(before)) {
      throw new Error("A second up changed the cloud.");
    }
  }

  async #destroy(endpointFirst: boolean): Promise<void> {
    const result = await this.#run("destroy", endpointFirst);
    if ("failed" in result) throw new Error(`${result.failed} failed: ${result.message}`);
    const { stackUid } = this.#wanted;
    expectNone(
      "is left after destroy",
      findLeftovers(this.#session.state, await this.#session.look(), stackUid),
    );
    this.#destroyed += 1;
  }

  async #run(command: "up" | "destroy", endpointFirst: boolean): Promise<EngineResult> {
    const declared = { ...this.#wanted, timeoutSeconds: TIMEOUT_SECONDS };
    const result = await this.#session.run({ command, declared, endpointFirst });
    if (result === "killed") throw new Error("The worker was killed by nobody.");
    this.#session.note(`-> ${JSON.stringify("done" in result ? result.done : result)}`);
    return result;
  }
}

function expectNone(what: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${found.length} ${what}:\n${found.join("\n")}`);
}
