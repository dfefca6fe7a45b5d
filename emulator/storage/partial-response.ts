import { StorageError } from "./errors.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";

/** A parsed `fields` parameter: what to keep of each key ("*": every key); "all" keeps the value whole. */
export type FieldSelection = "all" | ReadonlyMap<string, FieldSelection>;

/**
 * Reads a `fields` parameter: names parted by ",", `a/b` and `a(b,c)` for what is inside, "*" for any name. 400 where it
 * can't be read. A name that no resource has selects nothing; Google's service refuses it.
 */
export function parseFields(text: string): FieldSelection {
  const tokens = text.match(/[A-Za-z0-9_.-]+|\S/g) ?? [];
  let at = 0;

  const readList = (): Map<string, FieldSelection> => {
    const list = new Map<string, FieldSelection>();
    do readPath(list);
    while (take(","));
    return list;
  };
  const readPath = (into: Map<string, FieldSelection>): void => {
    const name = tokens[at++] ?? "";
    if (!/^([A-Za-z0-9_.-]+|\*)$/.test(name)) throw unreadable(text);
    let inner: FieldSelection = "all";
    if (take("/")) readPath((inner = new Map()));
    else if (take("(")) {
      inner = readList();
      if (!take(")")) throw unreadable(text);
    }
    into.set(name, union(into.get(name), inner));
  };
  const take = (token: string): boolean => tokens[at] === token && ++at > 0;

  const selection = readList();
  if (at < tokens.length) throw unreadable(text);
  return selection;
}

/** The selected part of a resource; what is chosen inside a list is chosen of each of its items. */
export function selectFields(resource: JsonObject, selection: FieldSelection): JsonObject {
  if (selection === "all") return resource;
  const selected: JsonObject = {};
  for (const [key, value] of Object.entries(resource)) {
    const inner = union(selection.get(key), selection.get("*"));
    const kept = inner === undefined ? undefined : selectValue(value, inner);
    if (kept !== undefined) selected[key] = kept;
  }
  return selected;
}

/** undefined where `selection` looks inside a value that has no inside. */
function selectValue(value: Json, selection: FieldSelection): Json | undefined {
  if (selection === "all") return value;
  if (isJsonObject(value)) return selectFields(value, selection);
  if (!Array.isArray(value)) return undefined;
  return value.map((item) => selectValue(item, selection)).filter((item) => item !== undefined);
}

function union(a: FieldSelection | undefined, b: FieldSelection): FieldSelection;
function union(
  a: FieldSelection | undefined,
  b: FieldSelection | undefined,
): FieldSelection | undefined;
function union(
  a: FieldSelection | undefined,
  b: FieldSelection | undefined,
): FieldSelection | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a === "all" || b === "all") return "all";
  const both = new Map(a);
  for (const [key, inner] of b) both.set(key, union(both.get(key), inner));
  return both;
}

function unreadable(text: string): StorageError {
  return new StorageError(
    "INVALID_ARGUMENT",
    400,
    "invalidParameter",
    `Invalid field selection "${text}". Use names parted by commas, a/b or a(b,c).`,
  );
}
