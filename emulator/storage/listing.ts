import { invalid } from "./errors.ts";
import type { ObjectRecord } from "./object-record.ts";

export interface ListOptions {
  /** Only names that begin with this. */
  readonly prefix?: string;
  /** Names that hold it after the prefix are rolled up into one entry of `prefixes`. */
  readonly delimiter?: string;
  readonly includeTrailingDelimiter?: boolean;
  /** First name (inclusive) and last name (exclusive). */
  readonly startOffset?: string;
  readonly endOffset?: string;
  readonly matches?: (name: string) => boolean;
  readonly pageToken?: string;
  /** Items and prefixes together. @default 1000 */
  readonly maxResults?: number;
}

export interface Listing {
  readonly items: ObjectRecord[];
  readonly prefixes: string[];
  readonly nextPageToken?: string;
}

const MAX_RESULTS = 1000;

/** One page of the records, in the order of their names as UTF-8, generations of one name oldest first. */
export function listPage(records: readonly ObjectRecord[], options: ListOptions): Listing {
  const { prefix = "", startOffset = "", endOffset } = options;
  const limit = Math.min(options.maxResults || MAX_RESULTS, MAX_RESULTS);
  const after = options.pageToken === undefined ? undefined : decodeToken(options.pageToken);
  const sorted = records
    .filter(({ name }) => name.startsWith(prefix) && compareNames(name, startOffset) >= 0)
    .filter(({ name }) => options.matches?.(name) ?? true)
    .filter(({ name }) => endOffset === undefined || compareNames(name, endOffset) < 0)
    .sort(
      (a, b) =>
        compareNames(a.name, b.name) || (BigInt(a.generation) < BigInt(b.generation) ? -1 : 1),
    );

  const items: ObjectRecord[] = [];
  const prefixes: string[] = [];
  let last: string | undefined;
  for (const record of sorted) {
    const rolledUp = rollUp(record.name, prefix, options.delimiter);
    const position = rolledUp ?? toPosition(record);
    const isKnown = rolledUp !== undefined && rolledUp === prefixes.at(-1);
    const isPast = after !== undefined && isAtOrBefore(position, rolledUp !== undefined, after);
    const asItem =
      rolledUp === undefined || (options.includeTrailingDelimiter && rolledUp === record.name);
    if (isPast || (isKnown && !asItem)) continue;
    if (!isKnown && items.length + prefixes.length >= limit) {
      return { items, prefixes, nextPageToken: encodeToken(last ?? position) };
    }
    if (rolledUp !== undefined && !isKnown) prefixes.push(rolledUp);
    if (asItem) items.push(record);
    last = position;
  }
  return { items, prefixes };
}

function rollUp(name: string, prefix: string, delimiter: string | undefined): string | undefined {
  if (!delimiter) return undefined;
  const at = name.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : name.slice(0, at + delimiter.length);
}

/** A place in the list: a rolled-up prefix, or a name with its generation. Names hold no NUL, so it may part the two. */
function toPosition(record: ObjectRecord): string {
  return `${record.name}\0${record.generation}`;
}

function isAtOrBefore(position: string, isPrefix: boolean, last: string): boolean {
  if (isPrefix && !last.includes("\0")) return compareNames(position, last) <= 0;
  const [name = "", generation = "0"] = position.split("\0");
  const [lastName = "", lastGeneration = "0"] = last.split("\0");
  const order = compareNames(name, lastName);
  if (order !== 0) return order < 0;
  return BigInt(generation) <= BigInt(lastGeneration);
}

function compareNames(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function encodeToken(position: string): string {
  return Buffer.from(position).toString("base64url");
}

function decodeToken(token: string): string {
  const position = Buffer.from(token, "base64url").toString();
  if (encodeToken(position) !== token) throw invalid(`Invalid page token "${token}".`);
  return position;
}
