import type { Version } from "./descriptors.ts";

/** A REST request to the operations service, understood. */
export interface OperationRoute {
  /** Name of the google.longrunning.Operations method. */
  readonly method: string;
  /** Resource name of the operation, or of the collection's parent for a list. */
  readonly name: string;
  /** undefined for `/ui/`, which names none. */
  readonly version: Version | undefined;
}

interface Row {
  readonly verbs: readonly string[];
  readonly pattern: RegExp;
  readonly method: string;
}

/**
 * Written by hand: the published descriptors bind only /v1/{name=operations/**}. These are the routes that Vertex's REST
 * reference lists under projects.locations[.models|.endpoints].operations, and `/ui/...`, where Google's Python SDK polls.
 */
const ROWS: readonly Row[] = [
  { verbs: ["GET"], pattern: /^(.+\/operations\/[^/:]+)$/, method: "GetOperation" },
  { verbs: ["DELETE"], pattern: /^(.+\/operations\/[^/:]+)$/, method: "DeleteOperation" },
  { verbs: ["POST"], pattern: /^(.+\/operations\/[^/:]+):cancel$/, method: "CancelOperation" },
  { verbs: ["POST", "GET"], pattern: /^(.+\/operations\/[^/:]+):wait$/, method: "WaitOperation" },
  { verbs: ["GET"], pattern: /^(.+)\/operations\/?$/, method: "ListOperations" },
];

/** undefined when the path is not one of an operation. */
export function matchOperationRoute(verb: string, path: string): OperationRoute | undefined {
  const prefix = /^\/(v1|v1beta1|ui)\/(projects\/.+)$/.exec(decodeURIComponent(path));
  if (prefix === null) return undefined;
  for (const row of ROWS) {
    const found = row.verbs.includes(verb) ? row.pattern.exec(prefix[2] ?? "") : null;
    if (found !== null) {
      const version = prefix[1] === "ui" ? undefined : (prefix[1] as Version);
      return { method: row.method, name: found[1] ?? "", version };
    }
  }
  return undefined;
}
