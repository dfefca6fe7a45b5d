import { invalid } from "./errors.ts";

/** What a request of a resumable upload says it carries. */
export type ContentRange =
  /** Nothing: asks how much has arrived. `total` bytes is the whole upload's size, where known. */
  | { readonly kind: "query"; readonly total?: number }
  /**
   * Bytes from `start`, up to and including `last` where it is said, else to the end of the body. Without `last` and
   * `total` the end of the body is the end of the upload.
   */
  | {
      readonly kind: "bytes";
      readonly start: number;
      readonly last?: number;
      readonly total?: number;
    };

/** Reads the Content-Range header of a PUT; without the header the body is the whole upload. */
export function parseContentRange(header: string | undefined): ContentRange {
  if (header === undefined) return { kind: "bytes", start: 0 };
  const query = /^bytes \*\/(\d+|\*)$/.exec(header);
  if (query) return { kind: "query", total: toNumber(query[1]) };
  const bytes = /^bytes (\d+)-(\d+|\*)\/(\d+|\*)$/.exec(header);
  if (!bytes) throw unreadable(header);
  const range = {
    kind: "bytes" as const,
    start: Number(bytes[1]),
    last: toNumber(bytes[2]),
    total: toNumber(bytes[3]),
  };
  const { start, last, total } = range;
  if (last !== undefined && (last < start || (total !== undefined && last >= total))) {
    throw unreadable(header);
  }
  return range;
}

/** The bytes [start, end) that a Range header asks of `size` bytes; null: no (single) range, send all. */
export function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  if (match[1] === "") {
    const suffix = Number(match[2]);
    return suffix === 0 || size === 0
      ? "unsatisfiable"
      : { start: Math.max(0, size - suffix), end: size };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size : Math.min(size, Number(match[2]) + 1);
  if (match[2] !== "" && Number(match[2]) < start) return null;
  return start >= size ? "unsatisfiable" : { start, end };
}

function toNumber(text: string | undefined): number | undefined {
  return text === undefined || text === "*" ? undefined : Number(text);
}

function unreadable(header: string): Error {
  return invalid(
    `Failed to parse Content-Range header "${header}". Send "bytes FIRST-LAST/TOTAL".`,
  );
}
