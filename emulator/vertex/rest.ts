import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type protobuf from "protobufjs";
import type { Around } from "../calls.ts";
import { ApiError } from "../errors.ts";
import { callerOf, readBody, sendError, sendJson } from "../http.ts";
import { toJson } from "./codec.ts";
import type { Document } from "./codec.ts";
import { root } from "./descriptors.ts";
import { takeAllDeploymentStates, withDeploymentStates } from "./deployment-states.ts";
import { dispatch } from "./dispatch.ts";
import { HttpRoutes } from "./http-routes.ts";
import type { RouteMatch } from "./http-routes.ts";
import type { MethodTable } from "./methods.ts";
import { matchOperationRoute } from "./operation-routes.ts";
import { HTTP_BODY, readRequest } from "./rest-request.ts";
import type { Target } from "./rest-request.ts";

/** Above the largest payload that any endpoint takes. */
const BODY_LIMIT_BYTES = 12_000_000;
/** The REST edge: JSON over the routes of the published HTTP rules. */
export class VertexRest {
  readonly #methods: MethodTable;
  readonly #around: Around;
  readonly #routes = new HttpRoutes();

  constructor(methods: MethodTable, around: Around) {
    this.#methods = methods;
    this.#around = around;
  }

  /** Answers the request; false when the path is none of Vertex AI's. */
  async handle(req: IncomingMessage, res: ServerResponse, url: URL): Promise<boolean> {
    if (!/^\/(v1|v1beta1|ui)\//.test(url.pathname)) return false;
    try {
      await this.#answer(req, res, url);
    } catch (error) {
      // A streamed answer that breaks off must not look complete.
      if (res.headersSent) res.destroy();
      else sendError(res, error);
    }
    return true;
  }

  async #answer(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    const body = await readBody(req, BODY_LIMIT_BYTES);
    const target = this.#findTarget(req.method ?? "GET", url.pathname);
    const allDeploymentStates = takeAllDeploymentStates(target, url);
    const message = await dispatch(this.#around, this.#methods, {
      key: target.key,
      request: readRequest(target, url, body, req.headers["content-type"]),
      responseType: target.responseType,
      call: {
        version: target.version,
        method: target.fullName,
        host: (req.headers.host ?? "").replace(/:\d+$/, ""),
        endpointHeader: String(req.headers["x-vertex-ai-endpoint-id"] ?? ""),
        requestBytes: body.length,
        signal: goneSignal(res),
        allDeploymentStates,
        setHeader: (name, value) => res.setHeader(name, value),
      },
      caller: callerOf(req),
      reset: () => req.socket.resetAndDestroy(),
      send: (part) => writeHttpBody(res, toJson(part, false)),
    });
    if (message === undefined) {
      res.end();
    } else if (target.responseType.name === HTTP_BODY) {
      await writeHttpBody(res, toJson(message, false));
      res.end();
    } else {
      const json = toJson(message, wantsNumericEnums(url));
      sendJson(res, 200, allDeploymentStates ? withDeploymentStates(json) : json);
    }
  }

  #findTarget(verb: string, path: string): Target {
    const operation = matchOperationRoute(verb, path);
    if (operation !== undefined) {
      const method = root.lookupService("google.longrunning.Operations").methods[operation.method];
      const { resolvedRequestType, resolvedResponseType } = method?.resolve() as protobuf.Method;
      return {
        fullName: `google.longrunning.Operations.${operation.method}`,
        key: `Operations.${operation.method}`,
        version: operation.version,
        requestType: resolvedRequestType as protobuf.Type,
        responseType: resolvedResponseType as protobuf.Type,
        body: verb === "POST" ? "*" : "",
        fields: new Map([["name", operation.name]]),
      };
    }
    const match = this.#routes.match(verb, path);
    if (match !== undefined) return toTarget(match);
    throw new ApiError("NOT_FOUND", `No method of Vertex AI is served at ${verb} ${path}.`);
  }
}

function toTarget(match: RouteMatch): Target {
  const { rpc } = match;
  return {
    fullName: rpc.fullName,
    key: rpc.key,
    version: rpc.version,
    requestType: rpc.requestType,
    responseType: rpc.responseType,
    body: match.rule.body,
    fields: match.pathFields,
  };
}

/** Python's clients ask for enums as numbers: `$alt=json;enum-encoding=int`. */
function wantsNumericEnums(url: URL): boolean {
  const alt = url.searchParams.get("$alt") ?? url.searchParams.get("alt") ?? "";
  return alt.includes("enum-encoding=int");
}

/** The body as it is, without JSON around it; head and first part leave together. */
async function writeHttpBody(res: ServerResponse, part: Document): Promise<void> {
  const { contentType, data } = part;
  if (!res.headersSent) {
    res.writeHead(200, {
      "content-type": typeof contentType === "string" ? contentType : "application/json",
    });
  }
  const isTaken = res.write(Buffer.from(typeof data === "string" ? data : "", "base64"));
  if (!isTaken) await Promise.race([once(res, "drain"), once(res, "close")]);
}

/** Aborted when the caller closes the connection before it has the whole answer. */
function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) gone.abort();
  });
  return gone.signal;
}
