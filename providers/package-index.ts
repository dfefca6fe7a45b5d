import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";

/** A Python package index: PyPI's simple API (PEP 503 and 691), or a mirror of it. */
export interface PackageIndex {
  /** Address of all projects, with a slash at its end and without credentials. */
  readonly url: string;
  /** "Basic ...", where the configured address holds credentials. */
  readonly authorization: string | undefined;
}

/** One file of a project on an index. */
export interface IndexFile {
  readonly name: string;
  readonly url: string;
  /** As the index has it, hex. Mirrors may leave it out. */
  readonly sha256: string | undefined;
}

/** What uv and pip read, in this order. */
const VARIABLES = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"] as const;

const PYPI = "https://pypi.org/simple/";

/** JSON first; many mirrors have only the web page. */
const ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2";

/** A transfer in which nothing arrives for so long is begun anew. */
const STALL_MS = 60_000;

/** The index that uv and pip would use by their environment variables. */
export function packageIndex(env: NodeJS.ProcessEnv = process.env): PackageIndex {
  const configured = VARIABLES.map((name) => env[name]).find((value) => value);
  // uv also takes NAME=ADDRESS.
  const url = new URL((configured ?? PYPI).replace(/^[\w-]+=(?=https?:)/, ""));
  const { username, password } = url;
  url.username = url.password = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization =
    username === "" ? undefined : `Basic ${Buffer.from(pair).toString("base64")}`;
  return { url: url.href, authorization };
}

/** All files of a project, newest last. The name is a normalised one: "charset-normalizer". */
export async function listIndexFiles(index: PackageIndex, project: string): Promise<IndexFile[]> {
  const url = new URL(`${project}/`, index.url).href;
  const response = await request(index, url, AbortSignal.timeout(STALL_MS));
  const type = response.headers.get("content-type") ?? "";
  const text = await response.text();
  // Links are relative to where a redirect ended.
  const base = response.url || url;
  return type.includes("json") ? filesOfJson(text, base) : filesOfPage(text, base);
}

function filesOfJson(text: string, base: string): IndexFile[] {
  const { files = [] } = JSON.parse(text) as {
    files?: { filename: string; url: string; hashes?: { sha256?: string } }[];
  };
  return files.map(({ filename, url, hashes }) => ({
    name: filename,
    url: new URL(url, base).href,
    sha256: hashes?.sha256,
  }));
}

function filesOfPage(text: string, base: string): IndexFile[] {
  return [...text.matchAll(/<a\s[^>]*href="([^"]+)"[^>]*>\s*([^<\s]+)\s*<\/a>/gi)].map(
    ([, link = "", name = ""]) => {
      const url = new URL(link.replaceAll("&amp;", "&"), base);
      const sha256 = /sha256=([0-9a-f]{64})/.exec(url.hash)?.[1];
      url.hash = "";
      return { name, url: url.href, sha256 };
    },
  );
}

/** Writes a file of the index to a path and returns the SHA-256 of what arrived, hex. */
export async function download(
  index: PackageIndex,
  file: IndexFile,
  path: string,
): Promise<string> {
  const stalled = new AbortController();
  const timer = setTimeout(
    () => stalled.abort(new Error(`nothing arrived for ${STALL_MS / 1_000} s`)),
    STALL_MS,
  );
  try {
    const response = await request(index, file.url, stalled.signal);
    const hash = createHash("sha256");
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        timer.refresh();
        hash.update(chunk);
        done(null, chunk);
      },
    });
    const body = Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
    await pipeline(body, count, createWriteStream(path), { signal: stalled.signal });
    return hash.digest("hex");
  } finally {
    clearTimeout(timer);
  }
}

/** @throws an Error with `status` when the index refuses. */
async function request(index: PackageIndex, url: string, signal: AbortSignal): Promise<Response> {
  const isOwnHost = new URL(url).host === new URL(index.url).host;
  const headers: Record<string, string> = { Accept: ACCEPT };
  if (isOwnHost && index.authorization !== undefined) headers.Authorization = index.authorization;
  const response = await fetch(url, { headers, signal }).catch((error: unknown) => {
    // fetch says "fetch failed" and hides the socket's words.
    const { cause } = error as { cause?: unknown };
    throw cause instanceof Error ? cause : error;
  });
  if (response.ok && response.body !== null) return response;
  await response.body?.cancel();
  const { status, statusText } = response;
  throw Object.assign(new Error(`it answered ${status} ${statusText}`.trim()), { status });
}
