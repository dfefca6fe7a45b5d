import { request } from "node:http";
import type { Agent, IncomingMessage } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** A request to a server process. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** @default "application/json" */
  readonly contentType?: string;
  readonly body?: Buffer;
  /** Keeps connections; false = a new connection for this request. */
  readonly agent?: Agent | false;
  /** Closes the request and its answer, at any time. */
  readonly signal: AbortSignal;
}

/** Sends a request and resolves with the head of the answer. Rejects with the socket's error, or the signal's. */
export async function open(options: HttpRequest): Promise<IncomingMessage> {
  const { method, url, body, agent, signal } = options;
  const headers = {
    ...options.headers,
    ...(body === undefined
      ? {}
      : {
          "content-type": options.contentType ?? "application/json",
          "content-length": body.length,
        }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method,
      headers,
      signal,
      ...(agent === undefined ? {} : { agent }),
    });
    outgoing.once("response", resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** The whole answer to a request. Rejects with a RangeError when its body is longer than allowed. */
export async function ask(options: HttpRequest, longestBody = Infinity): Promise<HttpAnswer> {
  const response = await open(options);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > longestBody)
      throw new RangeError(`The answer has more than ${longestBody} bytes.`);
  }
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers["content-type"] ?? "",
    body: Buffer.concat(chunks),
  };
}

/** The JSON that a GET answers with 200; undefined when it does not. */
export async function getJson(url: string): Promise<unknown> {
  try {
    const answer = await ask({ method: "GET", url, signal: AbortSignal.timeout(5000) });
    return answer.status === 200 ? JSON.parse(answer.body.toString("utf8")) : undefined;
  } catch {
    return undefined;
  }
}

/** The address of a route at "http://HOST:PORT". The slash keeps a route from reaching into host and port. */
export function withRoute(url: string, route: string): string {
  return `${url}${route.startsWith("/") ? "" : "/"}${route}`;
}
