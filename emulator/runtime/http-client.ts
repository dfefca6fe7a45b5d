import { request } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

export interface HttpCall {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly contentType?: string;
  readonly body?: Buffer;
  readonly timeoutMs: number;
}

/** One request to a server process. Rejects with a TimeoutError, or with the socket's error when nobody answers. */
export async function call(options: HttpCall): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      options.url,
      {
        method: options.method,
        signal: AbortSignal.timeout(options.timeoutMs),
        headers:
          options.body === undefined
            ? {}
            : {
                "content-type": options.contentType ?? "application/json",
                "content-length": options.body.length,
              },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            contentType: response.headers["content-type"] ?? "",
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
}

/** The JSON that a GET answers with 200; undefined when it does not. */
export async function getJson(url: string): Promise<unknown> {
  try {
    const answer = await call({ method: "GET", url, timeoutMs: 5000 });
    return answer.status === 200 ? JSON.parse(answer.body.toString("utf8")) : undefined;
  } catch {
    return undefined;
  }
}
