import type { Changes } from "../../providers/changes.ts";

/** A resource's methods, as the engine calls them. */
export interface Reconciler<Inputs, Outputs> {
  create(inputs: Inputs): Promise<{ id: string; outs: Outputs }>;
  read(id: string, recorded: Outputs): Promise<{ id: string; props?: Outputs }>;
  diff(id: string, recorded: Outputs, wanted: Inputs): Changes;
  update(id: string, recorded: Outputs, wanted: Inputs): Promise<{ outs: Outputs }>;
  remove(id: string, recorded: Outputs): Promise<void>;
}

/** How one `up` ended: what it did, or why it did not. */
export type UpResult = "created" | "updated" | "same" | Error;

/** What is recorded of one resource. */
export interface Recorded<Outputs> {
  readonly id: string;
  readonly outs: Outputs;
}

/** Where a resource is recorded; undefined: it is not. */
export interface RecordStore<Outputs> {
  load(): Recorded<Outputs> | undefined;
  save(recorded: Recorded<Outputs> | undefined): void;
}

function inMemory<Outputs>(): RecordStore<Outputs> {
  let recorded: Recorded<Outputs> | undefined;
  return {
    load: () => recorded,
    save: (now) => {
      recorded = now;
    },
  };
}

/**
 * One resource under an engine that does what Pulumi's does with `refresh: always`: a plain `up` reads what is recorded,
 * asks for the difference and creates or updates; a failure with properties is recorded, any other leaves the state alone.
 */
export class SmallEngine<Inputs, Outputs> {
  readonly #resource: Reconciler<Inputs, Outputs>;
  readonly #store: RecordStore<Outputs>;

  constructor(
    resource: Reconciler<Inputs, Outputs>,
    store: RecordStore<Outputs> = inMemory<Outputs>(),
  ) {
    this.#resource = resource;
    this.#store = store;
  }

  /** What is recorded. Throws when nothing is. */
  get recorded(): Outputs {
    const state = this.#store.load();
    if (state === undefined) throw new Error("nothing is recorded");
    return state.outs;
  }

  /** Reads what is recorded, then applies. */
  async up(wanted: Inputs): Promise<UpResult> {
    try {
      await this.refresh();
    } catch (error) {
      return error as Error;
    }
    return this.apply(wanted);
  }

  /** Creates or updates what differs from what is recorded. */
  async apply(wanted: Inputs): Promise<UpResult> {
    try {
      const state = this.#store.load();
      if (state === undefined) {
        this.#store.save(await this.#resource.create(wanted));
        return "created";
      }
      const { id, outs } = state;
      const { changes, replaces } = this.#resource.diff(id, outs, wanted);
      if (!changes) return "same";
      if (replaces.length > 0)
        throw new Error(`replacing for ${replaces.join(", ")} is not played`);
      this.#store.save({ id, outs: (await this.#resource.update(id, outs, wanted)).outs });
      return "updated";
    } catch (error) {
      const { id, properties } = error as { id?: string; properties?: Outputs };
      if (id !== undefined && properties !== undefined) this.#store.save({ id, outs: properties });
      return error as Error;
    }
  }

  /** Deletes what is recorded; a failure leaves it recorded. */
  async destroy(): Promise<"deleted" | Error> {
    try {
      const state = this.#store.load();
      if (state !== undefined) await this.#resource.remove(state.id, state.outs);
      this.#store.save(undefined);
      return "deleted";
    } catch (error) {
      return error as Error;
    }
  }

  /** Reads what is recorded; what is gone is recorded no more. */
  async refresh(): Promise<void> {
    const state = this.#store.load();
    if (state === undefined) return;
    const { id, props } = await this.#resource.read(state.id, state.outs);
    this.#store.save(id === "" || props === undefined ? undefined : { id, outs: props });
  }
}
