import { isDeepStrictEqual } from "node:util";

import { UNKNOWN } from "./results.ts";

/**
 * What a change of one input does. "record": an update that changes nothing in the cloud and only writes the value into the
 * state, where delete reads it. "none": nothing at all (progress, paths, clocks).
 */
export type Effect = "replace" | "update" | "record" | "none";

/** One row per input of a dynamic resource: ARCHITECTURE.md's replace-or-update table. */
export type EffectTable<Inputs> = { readonly [Key in keyof Required<Inputs>]: Effect };

/** Pulumi's answer to "what does this change do". */
export interface Changes {
  changes: boolean;
  replaces: string[];
  deleteBeforeReplace: boolean;
}

/** Compares recorded outputs with wanted inputs by the table; an unknown value counts as changed. */
export function compare<Inputs extends object>(
  table: EffectTable<Inputs>,
  recorded: Partial<Inputs>,
  wanted: Inputs,
): Changes {
  const changed = (Object.keys(table) as (keyof Inputs & string)[]).filter(
    (key) => table[key] !== "none" && !same(recorded[key], wanted[key]),
  );
  const replaces = changed.filter((key) => table[key] === "replace");
  return {
    changes: changed.length > 0,
    replaces,
    deleteBeforeReplace: replaces.length > 0,
  };
}

/**
 * The inputs that a read reports: the recorded ones as they were found, and the drift in words, so that a preview shows
 * what was changed by hand. (Pulumi types a read's inputs as outputs.)
 */
export function inputsOf<
  Inputs extends object,
  Props extends Inputs & { readonly drift: string | null },
>(table: EffectTable<Inputs>, props: Props): Props {
  const keys = Object.keys(table) as (keyof Inputs & string)[];
  const inputs = Object.fromEntries(keys.map((key) => [key, props[key]]));
  return (props.drift === null ? inputs : { ...inputs, drift: props.drift }) as Props;
}

/**
 * What a read found to be other than recorded, by hand or by a run that was killed; null when nothing is. A message of the
 * resource, since a plain preview names the properties that change, not their values.
 */
export function driftNotice<Inputs extends object>(
  table: EffectTable<Inputs>,
  recorded: Inputs,
  found: Inputs & { readonly drift: string | null },
): string | null {
  const keys = Object.keys(table) as (keyof Inputs & string)[];
  // An empty one is gone, which the drift says in words.
  const changed = keys.filter(
    (key) => table[key] !== "none" && found[key] !== "" && !same(recorded[key], found[key]),
  );
  const values = changed.map(
    (key) => `${key} is ${JSON.stringify(found[key])}, not ${JSON.stringify(recorded[key])}`,
  );
  const parts = [...(found.drift === null ? [] : [found.drift]), ...values];
  return parts.length === 0 ? null : `not as recorded: ${parts.join("; ")}`;
}

function same(recorded: unknown, wanted: unknown): boolean {
  if (wanted === UNKNOWN) return false;
  return isDeepStrictEqual(normal(recorded), normal(wanted));
}

/** Absent, undefined and null mean the same to Google and to the state. */
function normal(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined && entry !== null)
      .map(([key, entry]) => [key, normal(entry)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  );
}
