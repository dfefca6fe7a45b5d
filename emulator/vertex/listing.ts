import { ApiError } from "../errors.ts";
import type { Document } from "./types.ts";

/** What List requests have, as far as the message has it. */
export interface ListRequest {
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly filter?: string;
  /** "display_name, create_time desc" */
  readonly orderBy?: string;
  /** Field paths in camelCase, joined by commas. */
  readonly readMask?: string;
}

/** What a list may be filtered and ordered by: fields in camelCase. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly filterFields: readonly string[];
  readonly orderFields: readonly string[];
  /** The value of such a field, or of "labels.KEY"; undefined = the resource lacks it. */
  readonly read: (item: T, field: string) => string | undefined;
}

const DEFAULT_PAGE_SIZE = 100;
const LABEL_TERM =
  /^labels(?:\.([\w-]+|"[^"]+")\s*(=|!=|:)\s*(?:"([^"]*)"|'([^']*)'|(\S+))|:([\w-]+|"[^"]+"))$/u;
const FIELD_TERM = /^([A-Za-z_]+)\s*(=|!=)\s*(?:"([^"]*)"|'([^']*)'|(\S+))$/;

/** The page that the request asks for: filtered, ordered, cut. Throws INVALID_ARGUMENT. */
export function list<T>(
  listed: Listed<T>,
  request: ListRequest,
): { items: readonly T[]; nextPageToken: string } {
  const filtered = filterBy(listed, request.filter ?? "");
  return page(orderBy(filtered, listed, request.orderBy ?? ""), request);
}

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
  if (size < 0) throw new ApiError("INVALID_ARGUMENT", `The page size ${size} is negative.`);
  const end = start + size;
  return {
    items: items.slice(start, end),
    nextPageToken: end < items.length ? String(end) : "",
  };
}

/** The fields of a document that the mask names, whole; all without a mask. */
export function readFields(document: Document, mask: string | undefined): Document {
  if (mask === undefined || mask === "" || mask === "*") return document;
  const wanted = new Set(mask.split(",").map((path) => path.replace(/\..*$/, "")));
  return Object.fromEntries(Object.entries(document).filter(([field]) => wanted.has(field)));
}

/**
 * Terms joined with AND: `display_name="x"`, `displayName!="x"`, `labels.key=value`, `labels.key:*`, `labels:key`. Anything
 * else is refused rather than ignored.
 */
function filterBy<T>(listed: Listed<T>, filter: string): T[] {
  const terms = filter.split(/\s+AND\s+/).filter((term) => term.trim() !== "");
  return terms.reduce<T[]>(
    (left, term) => left.filter(readTerm(listed, term.trim())),
    [...listed.items],
  );
}

function readTerm<T>(listed: Listed<T>, term: string): (item: T) => boolean {
  const label = LABEL_TERM.exec(term);
  if (label !== null) {
    const key = (label[1] ?? label[6] ?? "").replaceAll('"', "");
    const value = label[3] ?? label[4] ?? label[5] ?? "*";
    const operator = label[6] === undefined ? (label[2] ?? ":") : ":";
    return (item) => matches(listed.read(item, `labels.${key}`), operator, value);
  }
  const found = FIELD_TERM.exec(term);
  const field = toCamelCase(found?.[1] ?? "");
  if (found === null || !listed.filterFields.includes(field)) {
    throw new ApiError("INVALID_ARGUMENT", `The filter term "${term}" is not supported.`);
  }
  const value = found[3] ?? found[4] ?? found[5] ?? "";
  return (item) => matches(listed.read(item, field), found[2] ?? "=", value);
}

function matches(actual: string | undefined, operator: string, value: string): boolean {
  if (operator === "!=") return actual !== value;
  if (operator === ":") return actual !== undefined && (value === "*" || actual === value);
  return actual === value;
}

function orderBy<T>(items: readonly T[], listed: Listed<T>, order: string): readonly T[] {
  const keys = order
    .split(",")
    .map((key) => key.trim())
    .filter((key) => key !== "")
    .map((key) => readOrderKey(listed, key));
  return [...items].sort((a, b) => {
    for (const { field, sign } of keys) {
      const [left = "", right = ""] = [listed.read(a, field), listed.read(b, field)];
      if (left !== right) return left < right ? -sign : sign;
    }
    return 0;
  });
}

function readOrderKey<T>(listed: Listed<T>, key: string): { field: string; sign: 1 | -1 } {
  const found = /^([A-Za-z_]+)(?:\s+(asc|desc))?$/.exec(key);
  const field = toCamelCase(found?.[1] ?? "");
  if (found === null || !listed.orderFields.includes(field)) {
    throw new ApiError("INVALID_ARGUMENT", `Ordering by "${key}" is not supported.`);
  }
  return { field, sign: found[2] === "desc" ? -1 : 1 };
}

function toCamelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
