import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "./errors.ts";

const LONGEST_AGENT = 120;

/** Reads a whole body. Throws INVALID_ARGUMENT above the limit (bytes). */
export async function readBody(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limitBytes) chunks.push(chunk);
  }
  if (size > limitBytes) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `Request payload size exceeds the limit: ${limitBytes} bytes.`,
    );
  }
  return Buffer.concat(chunks);
}

/** Transport and client of a REST call, as the client names itself; for the request log. */
export function callerOf(req: IncomingMessage): string {
  const agent = req.headers["x-goog-api-client"] ?? req.headers["user-agent"] ?? "";
  return `rest ${String(agent).slice(0, LONGEST_AGENT)}`.trimEnd();
}

/** Throws INVALID_ARGUMENT. An empty body reads as {}. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new ApiError("INVALID_ARGUMENT", "Invalid JSON payload received. Parse error.");
  }
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, { "content-type": "application/json; charset=UTF-8" });
  res.end(`${JSON.stringify(body, null, 2)}\n`);
}

/** Google's error body. What is not an ApiError is a fault of the emulator: INTERNAL. */
export function sendError(res: ServerResponse, error: unknown): void {
  const refusal = toApiError(error);
  sendJson(res, refusal.httpStatus, {
    error: { code: refusal.httpStatus, message: refusal.message, status: refusal.status },
  });
}

export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new ApiError("INTERNAL", `The emulator could not answer: ${text}`);
}
