import { readFileSync, renameSync, writeFileSync } from "node:fs";

import { resourcesInOrder } from "./program-resources.ts";
import type { Declared, ProgramResource } from "./program-resources.ts";
import { SmallEngine } from "./small-engine.ts";
import type { Recorded } from "./small-engine.ts";

/** What the engine is asked to do with the whole stack. */
export interface EngineCommand {
  readonly command: "up" | "destroy";
  readonly declared: Declared;
  readonly endpointFirst: boolean;
}

/** How it ended: what was done to each resource, in order, or the resource that failed, and why. */
export type EngineResult =
  | { readonly done: Readonly<Record<string, string>> }
  | { readonly failed: string; readonly message: string };

/** The state by resource, with the uid of the stack. */
export interface EngineState {
  readonly stackUid?: string;
  readonly resources: Readonly<Record<string, Recorded<unknown>>>;
}

export function readState(path: string): EngineState {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as EngineState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { resources: {} };
    throw error;
  }
}

function writeState(path: string, state: EngineState): void {
  writeFileSync(`${path}.new`, JSON.stringify(state));
  renameSync(`${path}.new`, path);
}

/**
 * Runs one command with the stack's resources, one after another, and records each step when it has ended, as Pulumi's engine
 * does with `refresh: always`: first all that is recorded is read, then what is declared is made. The first failure ends it.
 */
export async function runEngine(
  statePath: string,
  { command, declared: wanted, endpointFirst }: EngineCommand,
): Promise<EngineResult> {
  // The uid is the stack's first resource: a later one never takes its place.
  const stackUid = readState(statePath).stackUid ?? wanted.stackUid;
  if (command === "up") writeState(statePath, { ...readState(statePath), stackUid });
  const declared = { ...wanted, stackUid };
  const engines = resourcesInOrder(endpointFirst).map((resource) => ({
    resource,
    engine: new SmallEngine(resource.reconciler, storeOf(statePath, resource)),
  }));
  for (const { resource, engine } of engines) {
    try {
      await engine.refresh();
    } catch (error) {
      return { failed: resource.name, message: (error as Error).message };
    }
  }
  const isRecorded = (name: string) => readState(statePath).resources[name] !== undefined;
  const done: Record<string, string> = {};
  const steps = command === "up" ? engines : engines.reverse();
  for (const { resource, engine } of steps) {
    const result =
      command === "up"
        ? await engine.apply(resource.inputs(declared, isRecorded))
        : await engine.destroy();
    if (result instanceof Error) return { failed: resource.name, message: result.message };
    done[resource.name] = result;
  }
  if (command === "destroy") writeState(statePath, { resources: {} });
  return { done };
}

function storeOf(path: string, { name }: ProgramResource) {
  return {
    load: () => readState(path).resources[name],
    save: (recorded: Recorded<unknown> | undefined) => {
      const state = readState(path);
      const { [name]: _before, ...others } = state.resources;
      const resources = recorded === undefined ? others : { ...others, [name]: recorded };
      writeState(path, { ...state, resources });
    },
  };
}
