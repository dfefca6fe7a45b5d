import type { Changes } from "../../providers/changes.ts";
import type { ReadResult } from "../../providers/results.ts";

/** A dynamic resource's methods, as the engine calls them. */
export interface Reconciler<Inputs, Outputs> {
  create(inputs: Inputs): Promise<{ id: string; outs: Outputs }>;
  read(id: string, recorded: Outputs): Promise<ReadResult<Outputs>>;
  diff(id: string, recorded: Outputs, wanted: Inputs): Changes;
  update(id: string, recorded: Outputs, wanted: Inputs): Promise<{ outs: Outputs }>;
  remove(id: string, recorded: Outputs): Promise<void>;
}

/** How one `up` ended: what it did, or why it did not. */
export type UpResult = "created" | "updated" | "same" | Error;

/**
 * One resource under an engine that does what Pulumi's does with `refresh: always`: a plain `up` reads what is recorded,
 * asks for the difference and creates or updates; a failure with properties is recorded, any other leaves the state alone.
 */
export class SmallEngine<Inputs, Outputs> {
  readonly #resource: Reconciler<Inputs, Outputs>;
  #state: { readonly id: string; readonly outs: Outputs } | undefined;

  constructor(resource: Reconciler<Inputs, Outputs>) {
    this.#resource = resource;
  }

  /** What is recorded. Throws when nothing is. */
  get recorded(): Outputs {
    if (this.#state === undefined) throw new Error("nothing is recorded");
    return this.#state.outs;
  }

  async up(wanted: Inputs): Promise<UpResult> {
    try {
      await this.#refresh();
      if (this.#state === undefined) {
        this.#state = await this.#resource.create(wanted);
        return "created";
      }
      const { id, outs } = this.#state;
      if (!this.#resource.diff(id, outs, wanted).changes) return "same";
      this.#state = { id, outs: (await this.#resource.update(id, outs, wanted)).outs };
      return "updated";
    } catch (error) {
      const { id, properties } = error as { id?: string; properties?: Outputs };
      if (id !== undefined && properties !== undefined) this.#state = { id, outs: properties };
      return error as Error;
    }
  }

  /** Deletes what is recorded; a failure leaves it recorded. */
  async destroy(): Promise<"deleted" | Error> {
    try {
      if (this.#state !== undefined) {
        await this.#resource.remove(this.#state.id, this.#state.outs);
      }
      this.#state = undefined;
      return "deleted";
    } catch (error) {
      return error as Error;
    }
  }

  async #refresh(): Promise<void> {
    if (this.#state === undefined) return;
    const { id, props } = await this.#resource.read(this.#state.id, this.#state.outs);
    this.#state = id === "" || props === undefined ? undefined : { id, outs: props };
  }
}
