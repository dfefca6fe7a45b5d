import type { IncomingMessage, ServerResponse } from "node:http";
import { CLOCK_MODES } from "./clock.ts";
import type { Clock, ClockMode } from "./clock.ts";
import { ApiError } from "./errors.ts";
import { parseFault } from "./faults.ts";
import type { Faults } from "./faults.ts";
import { parseJsonBody, readBody, sendError, sendJson } from "./http.ts";
import type { RequestLog } from "./request-log.ts";
import { parseQuotas } from "./vertex/quotas.ts";
import type { Quotas } from "./vertex/quotas.ts";

const PREFIX = "/_emulator/";
const BODY_LIMIT_BYTES = 1_000_000;

/** What the control routes act on. */
export interface Controlled {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly quotas: Quotas;
  readonly requests: RequestLog;
  readonly dataDir: string;
  /** Removes all state and stops all servers. */
  readonly reset: () => Promise<void>;
  readonly state: () => unknown;
  /** Log of a deployed model's server. Throws NOT_FOUND. */
  readonly readLog: (deployedModelId: string) => string;
}

interface Request {
  readonly url: URL;
  readonly body: () => Promise<unknown>;
}

type Route = (controlled: Controlled, request: Request) => Promise<unknown>;

/** Routes for tests and people; no Google client calls them. A string is answered as plain text. */
const ROUTES: Readonly<Record<string, Route>> = {
  "GET health": async ({ dataDir }) => ({ status: "ok", pid: process.pid, data: dataDir }),
  "GET state": async ({ state }) => state(),
  "POST reset": async ({ reset }) => {
    await reset();
    return {};
  },
  "GET faults": async ({ faults }) => ({ faults: faults.list() }),
  "POST faults": async ({ faults }, { body }) => faults.add(parseFault(await body())),
  "DELETE faults": async ({ faults }, { url }) => {
    faults.remove(url.searchParams.get("id") ?? undefined);
    return {};
  },
  "GET quotas": async ({ quotas }) => quotas.table(),
  "PUT quotas": async ({ quotas }, { body }) => {
    quotas.set(parseQuotas(await body()));
    return quotas.table();
  },
  "POST clock": async ({ clock }, { body }) => {
    moveClock(clock, await body());
    return { mode: clock.mode, now: clock.now().toISOString() };
  },
  "GET requests": async ({ requests }) => ({ requests: requests.list() }),
  "DELETE requests": async ({ requests }) => {
    requests.clear();
    return {};
  },
};

/** Answers a control request; false when the path is none. */
export async function handleControl(
  controlled: Controlled,
  req: IncomingMessage,
  res: ServerResponse,
  url: URL,
): Promise<boolean> {
  if (!url.pathname.startsWith(PREFIX)) return false;
  const path = url.pathname.slice(PREFIX.length);
  try {
    const answer = await answerControl(controlled, req, path, url);
    if (typeof answer === "string") {
      res.writeHead(200, {
        "content-type": "text/plain; charset=utf-8",
        "x-content-type-options": "nosniff",
      });
      res.end(answer);
    } else {
      sendJson(res, 200, answer);
    }
  } catch (error) {
    sendError(res, error);
  }
  return true;
}

async function answerControl(
  controlled: Controlled,
  req: IncomingMessage,
  path: string,
  url: URL,
): Promise<unknown> {
  if (req.method === "GET" && path.startsWith("logs/")) {
    return controlled.readLog(decodeURIComponent(path.slice("logs/".length)));
  }
  const route = ROUTES[`${req.method} ${path}`];
  if (route === undefined) {
    throw new ApiError("NOT_FOUND", `There is no control route ${req.method} ${PREFIX}${path}.`);
  }
  const body = async (): Promise<unknown> => parseJsonBody(await readBody(req, BODY_LIMIT_BYTES));
  return route(controlled, { url, body });
}

/** {"advanceMs": N} moves a manual clock, {"mode": "fast"} changes how time passes. */
function moveClock(clock: Clock, json: unknown): void {
  const { mode, advanceMs } = (json ?? {}) as { mode?: unknown; advanceMs?: unknown };
  if (mode !== undefined) {
    if (!CLOCK_MODES.includes(mode as ClockMode)) {
      throw new ApiError("INVALID_ARGUMENT", `mode must be one of ${CLOCK_MODES.join(", ")}.`);
    }
    clock.setMode(mode as ClockMode);
  }
  if (advanceMs === undefined) return;
  if (typeof advanceMs !== "number" || advanceMs < 0) {
    throw new ApiError("INVALID_ARGUMENT", "advanceMs must be a number of milliseconds.");
  }
  clock.advance(advanceMs);
}
