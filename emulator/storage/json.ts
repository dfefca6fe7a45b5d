export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object at `key`; an empty one where there is none. */
export function objectAt(from: JsonObject, key: string): JsonObject {
  const value = from[key];
  return isJsonObject(value) ? value : {};
}

export function stringAt(from: JsonObject, key: string): string | undefined {
  const value = from[key];
  return typeof value === "string" ? value : undefined;
}

/** PATCH semantics: objects merge, `null` deletes the key, anything else (arrays too) replaces. */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const current = merged[key];
    if (value === null) delete merged[key];
    else if (isJsonObject(value))
      merged[key] = mergePatch(isJsonObject(current) ? current : {}, value);
    else merged[key] = value;
  }
  return merged;
}

/** Leaves out nulls and whatever is empty, as Google's answers do; what stands inside arrays stays. */
export function withoutEmpty(from: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const [key, raw] of Object.entries(from)) {
    const value = isJsonObject(raw) ? withoutEmpty(raw) : raw;
    if (value === null) continue;
    if (Array.isArray(value) && value.length === 0) continue;
    if (isJsonObject(value) && Object.keys(value).length === 0) continue;
    kept[key] = value;
  }
  return kept;
}

/** The named keys of `from`, where present. */
export function pick(from: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}

/** Everything but the named keys. */
export function omit(from: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(from).filter(([key]) => !keys.includes(key)));
}
