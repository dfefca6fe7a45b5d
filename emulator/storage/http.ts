import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";

import { parseRange } from "./content-range.ts";
import { claimsFromHeaders, type HashClaims, toGoogHash } from "./content-hash.ts";
import { invalid, StorageError } from "./errors.ts";
import { toEtag } from "./generations.ts";
import { isJsonObject, type JsonObject, stringAt } from "./json.ts";
import type { ObjectRecord } from "./object-record.ts";
import type { DataReader } from "./data-files.ts";

/** Largest metadata document (JSON or XML) that is read into memory, bytes. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;

/** What is sent back. At most one of `json`, `text` and `content`; none: an empty body. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: JsonObject;
  readonly text?: string;
  /** Bytes [start, end) of open content; sending or `discard` closes it. */
  readonly content?: { readonly reader: DataReader; readonly start: number; readonly end: number };
}

/** The body of a request, piece by piece. Not reading it to its end leaves the connection usable for the answer. */
export interface RequestBody extends AsyncIterable<Uint8Array> {
  /** Breaks the connection: nobody waits for an answer any more. */
  destroy(): void;
}

export function bodyOf(req: IncomingMessage): RequestBody {
  return {
    [Symbol.asyncIterator]: () => req.iterator({ destroyOnReturn: false }),
    destroy: () => req.destroy(),
  };
}

/** One request as the routes see it. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly body: RequestBody;
  readonly query: URLSearchParams;
  /** Scheme, host and port as the client named them. */
  readonly origin: string;
  /** Path parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

export async function send(
  req: IncomingMessage,
  res: ServerResponse,
  answer: Answer,
): Promise<void> {
  if (res.destroyed || res.headersSent) return discard(answer);
  const { content } = answer;
  const headers: Record<string, string> = { ...answer.headers };
  const text = answer.json === undefined ? (answer.text ?? "") : JSON.stringify(answer.json);
  if (answer.json !== undefined) headers["content-type"] = "application/json; charset=UTF-8";
  if (answer.status !== 204 && answer.status !== 304) {
    headers["content-length"] ??= String(
      content ? content.end - content.start : Buffer.byteLength(text),
    );
  }
  res.writeHead(answer.status, headers);
  // Node drops an unread body by itself only where nothing of it was read; the next request waits behind it.
  res.once("finish", () => req.resume());
  if (!content || req.method === "HEAD") {
    await discard(answer);
    res.end(text);
    return;
  }
  // A client that goes away in the middle of a download is its own business.
  await pipeline(content.reader.stream(content.start, content.end), res).catch(() => undefined);
}

/** Closes what an answer holds open when it will not be sent. */
export async function discard(answer: Answer | undefined): Promise<void> {
  await answer?.content?.reader.close();
}

/** The body as text; 413 over the limit. */
export async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) {
      throw new StorageError(
        "INVALID_ARGUMENT",
        413,
        "uploadTooLarge",
        `The metadata of the request has more than ${MAX_DOCUMENT_BYTES} bytes. Send less.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The body as a JSON object; an empty body is an empty object, anything else 400. */
export async function readJson(body: AsyncIterable<Uint8Array>): Promise<JsonObject> {
  const text = await readText(body);
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("Parse Error: the body is not JSON. Send a JSON object.");
  }
  if (!isJsonObject(value)) throw invalid("The body is not a JSON object. Send a JSON object.");
  return value;
}

export function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

/** What the request's headers say of the hashes of its body. */
export function claimsOf(req: IncomingMessage): HashClaims {
  return claimsFromHeaders(headerOf(req, "x-goog-hash") ?? "", headerOf(req, "content-md5"));
}

/** An answer with the content of an object, or the part of it that a Range header asks for (206, or 416). */
export async function contentAnswer(
  req: IncomingMessage,
  record: ObjectRecord,
  reader: DataReader,
  etag = toEtag(record.generation, record.metageneration),
): Promise<Answer> {
  const range = parseRange(headerOf(req, "range"), record.size);
  if (range === "unsatisfiable") {
    await reader.close();
    throw new StorageError(
      "OUT_OF_RANGE",
      416,
      "requestedRangeNotSatisfiable",
      `The requested range cannot be satisfied: the object has ${record.size} bytes.`,
    );
  }
  const headers = { ...contentHeaders(record), etag };
  if (!range) {
    return { status: 200, headers, content: { reader, start: 0, end: record.size } };
  }
  const contentRange = `bytes ${range.start}-${range.end - 1}/${record.size}`;
  return {
    status: 206,
    headers: { ...headers, "content-range": contentRange },
    content: { reader, ...range },
  };
}

function contentHeaders(record: ObjectRecord): Record<string, string> {
  const headers: Record<string, string> = {
    "accept-ranges": "bytes",
    "content-type": record.contentType ?? "application/octet-stream",
    "last-modified": new Date(record.timeCreated).toUTCString(),
    "x-goog-generation": record.generation,
    "x-goog-metageneration": record.metageneration,
    "x-goog-hash": toGoogHash(record),
    "x-goog-storage-class": stringAt(record.fields, "storageClass") ?? "STANDARD",
    "x-goog-stored-content-encoding": stringAt(record.fields, "contentEncoding") ?? "identity",
    "x-goog-stored-content-length": String(record.size),
  };
  const passedOn = [
    ["cacheControl", "cache-control"],
    ["contentDisposition", "content-disposition"],
    ["contentEncoding", "content-encoding"],
    ["contentLanguage", "content-language"],
  ] as const;
  for (const [field, header] of passedOn) {
    const value = stringAt(record.fields, field);
    if (value !== undefined && isHeaderValue(value)) headers[header] = value;
  }
  if (!isHeaderValue(headers["content-type"]!))
    headers["content-type"] = "application/octet-stream";
  return headers;
}

/** Clients choose these values; one that HTTP can't carry must not break the answer. */
function isHeaderValue(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}
