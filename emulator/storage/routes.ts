import type { Answer, Exchange } from "./http.ts";

/** One method of the API: where it is found and what it does. */
export interface Route {
  readonly method: string;
  /** "/storage/v1/b/{bucket}/o/{object}"; a parameter is one segment, "%2F" in it belongs to the name. */
  readonly path: string;
  /** Google's method name. */
  readonly name: string;
  /** What the request acts on, where the path alone does not say it. */
  readonly resource?: (exchange: Exchange) => string;
  readonly run: (exchange: Exchange) => Promise<Answer>;
}

/** Decoded path parameters, or undefined where the pattern does not fit. */
export function matchPath(pattern: string, pathname: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  // Google's Go client ends some lists with a slash.
  const given = pathname.replace(/\/+$/, "").split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const segment = given[index] ?? "";
    if (part.startsWith("{")) {
      const value = decodeSegment(segment);
      if (value === undefined || value === "") return undefined;
      params[part.slice(1, -1)] = value;
    } else if (part !== segment) {
      return undefined;
    }
  }
  return params;
}

/** "b/BUCKET/o/OBJECT" as far as the parameters say. */
export function resourceFrom(params: Readonly<Record<string, string>>): string {
  if (params.bucket === undefined) return "";
  return params.object === undefined
    ? `b/${params.bucket}`
    : `b/${params.bucket}/o/${params.object}`;
}

/** A percent-encoded path segment as text; undefined where it is no valid encoding. */
export function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
