import { setTimeout as delay } from "node:timers/promises";
import type { ProviderConfig } from "./provider-config.ts";
import { isRecord } from "./resource-type.ts";

const OPERATION_DEADLINE_MS = 20 * 60_000; // the official provider's limit for endpoint operations
const FIRST_POLL_MS = 50;
const LONGEST_POLL_MS = 1_000;
const ATTEMPTS = 5;
const FIRST_RETRY_MS = 200;
const RETRIED_STATUSES = [429, 502, 503];

/** A refusal by the Google API, by HTTP status. */
export class GoogleError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "GoogleError";
    this.status = status;
  }
}

export type Api = "storage" | "vertexAi";
type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** REST calls to the local endpoints that the provider is configured with; redirects are refused, so calls stay there. */
export class GoogleRest {
  readonly #config: ProviderConfig;

  constructor(config: ProviderConfig) {
    this.#config = config;
  }

  /**
   * Sends one request; `path` is appended to the API's base URL. Answers the JSON document, {} for an empty answer. Tries
   * again on 429, 502 and 503, as the official provider does, and on lost connections where repeating does no harm.
   */
  async request(
    api: Api,
    method: Method,
    path: string,
    body?: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const url = this.#base(api) + path;
    for (let attempt = 1; ; attempt++) {
      const response = await this.#send(url, method, body, attempt);
      if (response?.ok) return toDocument(await response.text());
      const error = response && toError(response.status, await response.text());
      if (error && (!RETRIED_STATUSES.includes(error.status) || attempt === ATTEMPTS)) throw error;
      await delay(FIRST_RETRY_MS * 2 ** (attempt - 1));
    }
  }

  /** Answers the response that a long-running Vertex AI operation ends with; its error is thrown as a GoogleError. */
  async waitForOperation(started: Record<string, unknown>): Promise<Record<string, unknown>> {
    const name = String(started.name);
    const deadline = Date.now() + OPERATION_DEADLINE_MS;
    let operation = started;
    for (let pollMs = FIRST_POLL_MS; operation.done !== true;) {
      if (Date.now() > deadline) {
        throw new Error(
          `operation "${name}" is still running after 20 min. Run this again once it has ended.`,
        );
      }
      await delay(pollMs);
      pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS);
      operation = await this.request("vertexAi", "GET", name);
    }
    if (isRecord(operation.error)) {
      throw new GoogleError(Number(operation.error.code), String(operation.error.message));
    }
    return isRecord(operation.response) ? operation.response : {};
  }

  /** Undefined when the connection was lost and the request may be sent again. */
  async #send(
    url: string,
    method: Method,
    body: Record<string, unknown> | undefined,
    attempt: number,
  ): Promise<Response | undefined> {
    try {
      return await fetch(url, {
        method,
        redirect: "error",
        ...(body && {
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      });
    } catch (error) {
      const repeatable = method === "GET" || method === "DELETE";
      if (repeatable && attempt < ATTEMPTS && !isRefused(error)) return undefined;
      throw new Error(
        `${new URL(url).origin} does not answer (${reasonOf(error)}). Start the emulator with "npm run emulator".`,
        { cause: error },
      );
    }
  }

  #base(api: Api): string {
    const base = this.#config[api];
    if (base !== undefined) return base;
    const key = `${api}CustomEndpoint`;
    throw new Error(`no local endpoint is set for it. Set "gcp:${key}".`);
  }
}

/** Undefined in place of a GoogleError of status 404; other errors are thrown on. */
export function undefinedIfNotFound(error: unknown): undefined {
  if (error instanceof GoogleError && error.status === 404) return undefined;
  throw error;
}

function toDocument(text: string): Record<string, unknown> {
  const document: unknown = text === "" ? {} : JSON.parse(text);
  return isRecord(document) ? document : {};
}

function toError(status: number, text: string): GoogleError {
  return new GoogleError(status, messageOf(text) ?? `HTTP ${status}`);
}

function messageOf(text: string): string | undefined {
  try {
    const { error } = toDocument(text);
    return isRecord(error) && typeof error.message === "string" ? error.message : undefined;
  } catch {
    return undefined;
  }
}

function isRefused(error: unknown): boolean {
  return reasonOf(error) === "ECONNREFUSED";
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (isRecord(cause) && typeof cause.code === "string") return cause.code;
  return error instanceof Error ? error.message : String(error);
}
