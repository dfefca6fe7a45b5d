import { conditionNotMet, invalid, notModified } from "./errors.ts";

/** Generation and metageneration conditions of one request; absent ones always hold. */
export interface Preconditions {
  readonly generationMatch?: string;
  readonly generationNotMatch?: string;
  readonly metagenerationMatch?: string;
  readonly metagenerationNotMatch?: string;
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
