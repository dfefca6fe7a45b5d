import { Agent } from "node:http";
import { ask, open } from "./http-client.ts";
import type { HttpAnswer } from "./http-client.ts";
import { pause } from "./pause.ts";

/** Body of a prediction as the container gets it. */
export interface Payload {
  readonly contentType: string;
  readonly body: Buffer;
}

/** An answer that is handed on while the container still writes it. */
export interface StreamedAnswer {
  readonly status: number;
  readonly contentType: string;
  /** As the container writes them. Leaving the loop closes the container's request. Throws ServerCallError. */
  readonly chunks: AsyncIterable<Buffer>;
}

export type CallFailure = "NOT_READY" | "TIMEOUT" | "CONNECTION_LOST" | "TOO_LARGE";

/** A prediction that the server did not answer. */
export class ServerCallError extends Error {
  override readonly name = "ServerCallError";
  readonly reason: CallFailure;

  constructor(reason: CallFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** As much as the prebuilt images' TorchServe sends; Vertex itself lets less through. */
export const LONGEST_ANSWER_BYTES = 20 * 1024 * 1024;
/**
 * A kept connection is closed by us after this time without a request, before any server closes it: so none is lost to
 * a connection that just ended, and no prediction has to be sent twice.
 */
const IDLE_CONNECTION_MS = 1000;

/** The predictions of one deployed model: sends them, counts those under way, and waits for them. */
export class ServerCalls {
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE_CONNECTION_MS });
  readonly #idle = new Set<() => void>();
  #underWay = 0;

  /** Predictions that are not answered to their end. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Posts a prediction and reads the whole answer. Throws ServerCallError. */
  async predict(url: string, payload: Payload, timeoutMs: number): Promise<HttpAnswer> {
    const signal = AbortSignal.timeout(timeoutMs);
    const end = this.#begin();
    try {
      const request = { method: "POST", url, ...payload, agent: this.#agent, signal } as const;
      return await ask(request, LONGEST_ANSWER_BYTES);
    } catch (error) {
      throw toCallError(error, signal, timeoutMs);
    } finally {
      end();
    }
  }

  /** Posts a prediction and resolves with the head of its answer. The time counts until the last chunk. */
  async stream(
    url: string,
    payload: Payload,
    timeoutMs: number,
    cancel?: AbortSignal,
  ): Promise<StreamedAnswer> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = cancel === undefined ? deadline : AbortSignal.any([deadline, cancel]);
    const end = this.#begin();
    try {
      const response = await open({ method: "POST", url, ...payload, agent: this.#agent, signal });
      response.once("close", end);
      // Nobody may be reading when the server goes away.
      response.on("error", () => undefined);
      return {
        status: response.statusCode ?? 0,
        contentType: response.headers["content-type"] ?? "",
        chunks: readChunks(response, deadline, timeoutMs),
      };
    } catch (error) {
      end();
      throw toCallError(error, deadline, timeoutMs);
    }
  }

  /** Resolves when no prediction is under way, or after the given time. */
  async drained(timeoutMs: number): Promise<void> {
    if (this.#underWay === 0) return;
    const idle = new AbortController();
    this.#idle.add(() => idle.abort());
    await pause(timeoutMs, idle.signal);
  }

  closeConnections(): void {
    this.#agent.destroy();
  }

  #begin(): () => void {
    this.#underWay += 1;
    return () => {
      this.#underWay -= 1;
      if (this.#underWay > 0) return;
      for (const resolve of this.#idle) resolve();
      this.#idle.clear();
    };
  }
}

async function* readChunks(
  response: AsyncIterable<unknown>,
  deadline: AbortSignal,
  timeoutMs: number,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    throw toCallError(error, deadline, timeoutMs);
  }
}

function toCallError(cause: unknown, deadline: AbortSignal, timeoutMs: number): ServerCallError {
  if (cause instanceof RangeError) {
    const message = `The model server's answer is longer than ${LONGEST_ANSWER_BYTES} bytes.`;
    return new ServerCallError("TOO_LARGE", message, { cause });
  }
  if (deadline.aborted) {
    const message = `The model server did not answer within ${timeoutMs / 1000} s.`;
    return new ServerCallError("TIMEOUT", message, { cause });
  }
  return new ServerCallError("CONNECTION_LOST", "The model server closed the connection.", {
    cause,
  });
}
