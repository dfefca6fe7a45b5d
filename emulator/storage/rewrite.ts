import { createHash } from "node:crypto";

import { invalid } from "./errors.ts";

const MIB = 1024 * 1024;

/** One call of a rewrite that goes on over several calls. */
export interface RewriteCall {
  /** What must stay the same from call to call: source with its generation, target, bytes per call, metadata. */
  readonly subject: readonly string[];
  /** Bytes of the source. */
  readonly size: number;
  /** Most bytes that this call may rewrite, a multiple of 1 MiB; undefined: all. */
  readonly maxBytes: number | undefined;
  /** What the call before answered; undefined in the first. */
  readonly token: string | undefined;
}

/** Bytes rewritten so far, this call included; `token` is for the next call, undefined when all is done. */
export interface RewriteProgress {
  readonly rewritten: number;
  readonly token: string | undefined;
}

/**
 * Counts a rewrite forward by one call. The token holds all there is to know, so it outlives a restart; one of another
 * rewrite is refused (400). No bytes are touched: the whole content is shared by the last call.
 */
export function advanceRewrite({ subject, size, maxBytes, token }: RewriteCall): RewriteProgress {
  const key = createHash("sha256").update(JSON.stringify(subject)).digest("base64url");
  const before = token === undefined ? 0 : readToken(token, key);
  const rewritten = Math.min(size, before + (maxBytes ?? Infinity));
  if (rewritten >= size) return { rewritten: size, token: undefined };
  return { rewritten, token: `${key}.${rewritten}` };
}

/** The `maxBytesRewrittenPerCall` parameter. */
export function readMaxBytes(query: URLSearchParams): number | undefined {
  const value = query.get("maxBytesRewrittenPerCall");
  if (value === null) return undefined;
  const bytes = Number(value);
  if (!/^\d+$/.test(value) || bytes === 0 || bytes % MIB !== 0) {
    throw invalid(
      `Invalid value "${value}" for parameter maxBytesRewrittenPerCall. Send a multiple of ${MIB}.`,
    );
  }
  return bytes;
}

function readToken(token: string, key: string): number {
  const [ofKey, rewritten = ""] = token.split(".");
  if (ofKey !== key || !/^\d+$/.test(rewritten)) {
    throw invalid(
      `Invalid rewriteToken "${token}": it is not that of this rewrite. Start without a token.`,
    );
  }
  return Number(rewritten);
}
