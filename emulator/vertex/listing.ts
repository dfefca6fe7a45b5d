import { ApiError } from "../errors.ts";

/** What every List request has. */
export interface ListRequest {
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly filter?: string;
}

const DEFAULT_PAGE_SIZE = 100;

/** One page; the token is the position of the next one. */
export function page<T>(
  items: readonly T[],
  request: ListRequest,
): { items: readonly T[]; nextPageToken: string } {
  const start = request.pageToken === undefined ? 0 : Number(request.pageToken);
  if (!Number.isInteger(start) || start < 0) {
    throw new ApiError("INVALID_ARGUMENT", `The page token "${request.pageToken}" is not valid.`);
  }
  const size = request.pageSize ?? DEFAULT_PAGE_SIZE;
  const end = start + size;
  return {
    items: items.slice(start, end),
    nextPageToken: end < items.length ? String(end) : "",
  };
}

/** Reads the fields that a filter may name; undefined = the resource lacks it. */
export type FieldReader<T> = (item: T, field: string) => string | undefined;

const TERM = /^\s*([A-Za-z_.-]+(?:\.[a-z0-9_-]+)?)\s*(=|!=|:)\s*(?:"([^"]*)"|'([^']*)'|(\S+))\s*$/;

/**
 * Filters by terms joined with AND: `display_name="x"`, `labels.key=value`, `labels.key:*`, each also with `!=`. Anything
 * else is refused as INVALID_ARGUMENT rather than ignored.
 */
export function filterBy<T>(
  items: readonly T[],
  filter: string | undefined,
  fields: readonly string[],
  read: FieldReader<T>,
): T[] {
  const terms = (filter ?? "").split(/\s+AND\s+/).filter((term) => term.trim() !== "");
  return terms.reduce<T[]>(
    (left, term) => {
      const found = TERM.exec(term);
      const field = found?.[1] ?? "";
      const value = found?.[3] ?? found?.[4] ?? found?.[5] ?? "";
      if (found === null || !(fields.includes(field) || field.startsWith("labels."))) {
        throw new ApiError(
          "INVALID_ARGUMENT",
          `The filter term "${term.trim()}" is not supported.`,
        );
      }
      return left.filter((item) => matches(read(item, field), found[2] ?? "=", value));
    },
    [...items],
  );
}

function matches(actual: string | undefined, operator: string, value: string): boolean {
  if (operator === "!=") return actual !== value;
  if (operator === ":") return actual !== undefined && (value === "*" || actual.includes(value));
  return actual === value;
}
