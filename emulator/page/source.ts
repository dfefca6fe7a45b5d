import type { Clock } from "../clock.ts";
import type { Address } from "../data-folder.ts";
import type { Faults } from "../faults.ts";
import type { RequestLog } from "../request-log.ts";
import type { EmulatorState } from "../state.ts";
import type { QuotaTable } from "../vertex/quotas.ts";

/** An object as the page lists it. */
export interface ListedObject {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType?: string;
  readonly updated: string;
  readonly generation: string;
}

/** All that the page shows is read here, anew for each request. */
export interface PageSource {
  readonly address: () => Address;
  readonly clock: Pick<Clock, "mode" | "now">;
  readonly state: () => EmulatorState;
  readonly requests: Pick<RequestLog, "list">;
  readonly faults: Pick<Faults, "list">;
  /** Quotas that were set; all others are Google's defaults. */
  readonly quotas: () => QuotaTable;
  /** Live objects whose names begin with `prefix`, by name. Throws ApiError NOT_FOUND for an unknown bucket. */
  readonly listObjects: (bucket: string, prefix: string) => readonly ListedObject[];
  /** Log of a server by its id, or by the id of its deployed model. Throws ApiError NOT_FOUND. */
  readonly readLog: (id: string) => string;
  /** Ids of all servers that run or have left a log. */
  readonly logIds: () => readonly string[];
}

/** What a page is made from: the source, and what the page itself knows. */
export interface PageContext extends PageSource {
  readonly uptimeMs: () => number;
}
