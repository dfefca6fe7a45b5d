import type { IncomingHttpHeaders } from "node:http";

import { conditionNotMet, invalid, notModified } from "./errors.ts";

/** Generation and metageneration conditions of one request; absent ones always hold. */
export interface Preconditions {
  readonly generationMatch?: string;
  readonly generationNotMatch?: string;
  readonly metagenerationMatch?: string;
  readonly metagenerationNotMatch?: string;
  /** Etags out of If-Match and If-None-Match; only reads have them. "*" stands for any. */
  readonly etagMatch?: readonly string[];
  readonly etagNotMatch?: readonly string[];
}

/** What conditions are checked against; undefined: no live object. */
export type Subject = { readonly generation: string; readonly metageneration: string } | undefined;

/**
 * Reads the conditions out of query parameters: `ifGenerationMatch` and its kin, or with the prefix "Source"
 * `ifSourceGenerationMatch` and its kin.
 */
export function parsePreconditions(
  query: URLSearchParams,
  prefix: "" | "Source" = "",
): Preconditions {
  const read = (name: string): string | undefined => {
    const parameter = `if${prefix}${name}`;
    const value = query.get(parameter);
    if (value === null) return undefined;
    if (!/^\d{1,19}$/.test(value)) {
      throw invalid(
        `Invalid value "${value}" for parameter ${parameter}. Send an int64 in decimals.`,
      );
    }
    return BigInt(value).toString();
  };
  return {
    generationMatch: read("GenerationMatch"),
    generationNotMatch: read("GenerationNotMatch"),
    metagenerationMatch: read("MetagenerationMatch"),
    metagenerationNotMatch: read("MetagenerationNotMatch"),
  };
}

/** Reads the conditions of a read: query parameters, If-Match and If-None-Match. */
export function parseReadConditions(
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
): Preconditions {
  const read = (header: string | undefined): string[] | undefined =>
    header?.split(",").map((etag) => etag.trim().replace(/^(?:W\/)?"(.*)"$/, "$1"));
  return {
    ...parsePreconditions(query),
    etagMatch: read(headers["if-match"]),
    etagNotMatch: read(headers["if-none-match"]),
  };
}

/** Throws 412 where If-Match does not hold, 304 where If-None-Match does not. */
export function checkEtag({ etagMatch, etagNotMatch }: Preconditions, etag: string): void {
  const isListed = (etags: readonly string[]): boolean =>
    etags.includes(etag) || etags.includes("*");
  if (etagMatch !== undefined && !isListed(etagMatch)) throw conditionNotMet();
  if (etagNotMatch !== undefined && isListed(etagNotMatch)) throw notModified();
}

/**
 * Throws 412 where a condition does not hold; a read whose "not match" fails is answered 304 instead. Generation 0 stands
 * for "no live object".
 */
export function checkPreconditions(
  conditions: Preconditions,
  subject: Subject,
  access: "read" | "write",
): void {
  const generation = subject?.generation ?? "0";
  const { generationMatch, generationNotMatch, metagenerationMatch, metagenerationNotMatch } =
    conditions;
  if (generationMatch !== undefined && generationMatch !== generation) throw conditionNotMet();
  if (metagenerationMatch !== undefined && metagenerationMatch !== subject?.metageneration) {
    throw conditionNotMet();
  }
  const matched =
    (generationNotMatch !== undefined && generationNotMatch === generation) ||
    (metagenerationNotMatch !== undefined && metagenerationNotMatch === subject?.metageneration);
  if (matched) throw access === "read" && subject ? notModified() : conditionNotMet();
}
