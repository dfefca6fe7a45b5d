import { invalid, notServed } from "./errors.ts";

const MAX_RESULTS = 1000;

/** The `maxResults` parameter, at most 1000; 400 where it is no positive number. */
export function readMaxResults(query: URLSearchParams): number | undefined {
  const value = query.get("maxResults");
  if (value === null) return undefined;
  if (!/^\d+$/.test(value) || Number(value) === 0) {
    throw invalid(`Invalid value "${value}" for parameter maxResults. Send a positive number.`);
  }
  return Math.min(Number(value), MAX_RESULTS);
}

/** A boolean parameter, false where it is absent; Google's Python client writes "True". 400 for anything else. */
export function readBoolean(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)?.toLowerCase() ?? "";
  if (!["", "true", "false"].includes(value)) {
    throw invalid(`Invalid value "${value}" for parameter ${name}. Send true or false.`);
  }
  return value === "true";
}

/** What was deleted is gone here: nothing is kept for softDeletePolicy's time. */
export function refuseSoftDeleted(query: URLSearchParams): void {
  if (readBoolean(query, "softDeleted")) throw notServed("softDeleted");
}
