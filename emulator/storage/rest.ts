import type { IncomingMessage, ServerResponse } from "node:http";

import type { Around, Call } from "../calls.ts";
import { ApiError } from "../errors.ts";
import { callerOf } from "../http.ts";
import { isBucketName } from "./bucket-fields.ts";
import { notServed, reasonOf } from "./errors.ts";
import { type Answer, bodyOf, discard, type Exchange, send } from "./http.ts";
import { parseFields, selectFields } from "./partial-response.ts";
import { matchPath, resourceFrom, type Route } from "./routes.ts";
import { findXmlRoute, toXmlError, type XmlRoutes } from "./xml.ts";

const JSON_API =
  /^\/(storage|upload\/storage|download\/storage|resumable\/upload\/storage|batch\/storage)\/v1(\/|$)/;

/** Throws where the caller may not call this method on what the path names. */
type CallCheck = (method: string, params: Readonly<Record<string, string>>) => void;

/** The HTTP edge: finds the method of a request, runs it as one call, and puts results and refusals into HTTP. */
export class RestEdge {
  readonly #routes: readonly Route[];
  readonly #xml: XmlRoutes;
  readonly #around: Around;
  readonly #checkCall: CallCheck;

  constructor(routes: readonly Route[], xml: XmlRoutes, around: Around, checkCall: CallCheck) {
    this.#routes = routes;
    this.#xml = xml;
    this.#around = around;
    this.#checkCall = checkCall;
  }

  /** False, with nothing touched, for what is no path of Cloud Storage. */
  async handle(req: IncomingMessage, res: ServerResponse, url: URL): Promise<boolean> {
    const origin = `http://${req.headers.host ?? url.host}`;
    const exchange = { req, body: bodyOf(req), query: url.searchParams, origin };
    if (JSON_API.test(url.pathname)) {
      const { route, params } = this.#find(req.method ?? "GET", url.pathname);
      await this.#answer(route, { ...exchange, params }, res, toJsonError);
      return true;
    }
    const found = findXmlRoute(this.#xml, req.method ?? "GET", url);
    // Bucket names can't be told from other services' paths by form alone: "v1beta1" could be one.
    if (
      !found ||
      !isBucketName(found.params.bucket ?? "") ||
      /^v\d/.test(found.params.bucket ?? "")
    ) {
      return false;
    }
    await this.#answer(found.route, { ...exchange, params: found.params }, res, toXmlError);
    return true;
  }

  #find(method: string, pathname: string): { route: Route; params: Record<string, string> } {
    const wanted = method === "HEAD" ? "GET" : method;
    for (const route of this.#routes) {
      const params = route.method === wanted ? matchPath(route.path, pathname) : undefined;
      if (params) return { route, params };
    }
    return { route: unknownRoute(method, pathname), params: {} };
  }

  async #answer(
    route: Route,
    exchange: Exchange,
    res: ServerResponse,
    toError: (error: ApiError) => Answer,
  ): Promise<void> {
    const { req } = exchange;
    const call: Call = {
      method: route.name,
      resource: (route.resource ?? (({ params }: Exchange) => resourceFrom(params)))(exchange),
      caller: callerOf(req),
      reset: () => req.socket.destroy(),
    };
    let made: Answer | undefined;
    try {
      const answer = await this.#around(call, async () => {
        this.#checkCall(route.name, exchange.params);
        refuseCustomerKey(req);
        const fields = exchange.query.get("fields");
        const selection = fields ? parseFields(fields) : "all";
        made = await route.run(exchange);
        return made.json === undefined
          ? made
          : { ...made, json: selectFields(made.json, selection) };
      });
      await send(req, res, answer);
    } catch (error) {
      await discard(made);
      await send(req, res, toError(toApiError(error, call)));
    }
  }
}

/** Every error is answered; one of our own making is an internal error, and its text is the operator's. */
function toApiError(error: unknown, call: Call): ApiError {
  if (error instanceof ApiError) return error;
  const cause = error instanceof Error ? error.message : String(error);
  return new ApiError(
    "INTERNAL",
    `Serving ${call.method} for "${call.resource}" failed: ${cause}.`,
  );
}

/** Content is not encrypted here: taking it with a key would promise what is not kept. */
function refuseCustomerKey({ headers }: IncomingMessage): void {
  for (const header of ["x-goog-encryption-key", "x-goog-copy-source-encryption-key"]) {
    if (headers[header] !== undefined) throw notServed(`The header ${header}`);
  }
}

function toJsonError(error: ApiError): Answer {
  const { httpStatus, message } = error;
  if (httpStatus === 304) return { status: 304 };
  const item = { message, domain: "global", reason: reasonOf(error) };
  return { status: httpStatus, json: { error: { code: httpStatus, message, errors: [item] } } };
}

function unknownRoute(method: string, pathname: string): Route {
  return {
    method,
    path: pathname,
    name: "storage.unknown",
    resource: () => pathname,
    run: async () => {
      throw notServed(`${method} ${pathname}`);
    },
  };
}
