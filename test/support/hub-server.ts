import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as it came, to the hub or to the host that it sends large files from. */
export interface HubRequest {
  readonly host: "hub" | "cdn";
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** What goes wrong, changed by a test while the server runs. */
export interface HubFaults {
  /** Breaks the connection of so many transfers of large files after so many bytes. */
  cut?: { afterBytes: number; times: number };
  /** Sends so many bytes of a large file and then nothing more, until `release`. */
  holdAfterBytes?: number;
  /** Answers this status to so many requests. */
  fail?: { status: number; times: number };
  /** Answers whole files, whatever range was asked for. */
  ignoresRanges?: boolean;
  /** Sends other bytes than it lists. */
  tampers?: boolean;
}

export interface HubOptions {
  /** "OWNER/NAME". */
  readonly repository: string;
  /** Content of each commit, by path. */
  readonly commits: Readonly<Record<string, Readonly<Record<string, string | Buffer>>>>;
  /** Commit of each branch and tag; a test may move them. */
  readonly branches: Record<string, string>;
  /** The token of an account that may read the repository; without it everybody may. */
  readonly token?: string;
  /** Whether strangers see the repository, but not its files, until they accept its licence. */
  readonly gated?: boolean;
  /** Files of one page of a listing. @default 4 */
  readonly pageSize?: number;
}

/** A server that speaks the part of the Hugging Face hub's HTTP API that reads repositories. */
export interface TestHub {
  /** Value for HF_ENDPOINT. */
  readonly endpoint: string;
  readonly requests: HubRequest[];
  readonly faults: HubFaults;
  /** Sends the rest of what is held. */
  release(): void;
  stop(): Promise<void>;
}

/** Files of this many bytes and more are in Git LFS: listed with their SHA-256, sent by another host. */
const LARGE_FROM_BYTES = 400;

/** Starts hub and CDN on free ports. */
export async function startHub(options: HubOptions): Promise<TestHub> {
  const requests: HubRequest[] = [];
  const faults: HubFaults = {};
  const held: (() => void)[] = [];
  const blobs = new Map<string, Buffer>();
  for (const files of Object.values(options.commits)) {
    for (const content of Object.values(files)) blobs.set(sha256Of(content), Buffer.from(content));
  }
  const note = (host: "hub" | "cdn", { url = "", headers }: IncomingMessage) =>
    requests.push({ host, path: url, range: headers.range, authorization: headers.authorization });

  const cdn = await listen((request, response) => {
    note("cdn", request);
    if (failed(faults, response)) return;
    sendContent(request, response, blobs.get((request.url ?? "").slice(1)), faults, held);
  });
  const hub = await listen((request, response) => {
    note("hub", request);
    if (failed(faults, response)) return;
    answer({ request, response, options, endpoint: hub.address, cdn: cdn.address });
  });
  return {
    endpoint: hub.address,
    requests,
    faults,
    release: () => {
      for (const end of held.splice(0)) end();
    },
    stop: async () => {
      await Promise.all([hub.stop(), cdn.stop()]);
    },
  };
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly options: HubOptions;
  readonly endpoint: string;
  readonly cdn: string;
}

function answer({ request, response, options, endpoint, cdn }: Call): void {
  const url = new URL(request.url ?? "", endpoint);
  const { repository, commits, token, gated } = options;
  const api = url.pathname.startsWith("/api/models/");
  const path = url.pathname.replace("/api/models/", "/").slice(1);
  const [action = "", revision = "", ...rest] = path.startsWith(`${repository}/`)
    ? path
        .slice(repository.length + 1)
        .split("/")
        .map(decodeURIComponent)
    : [];
  const given = request.headers.authorization?.replace("Bearer ", "");
  if (given !== undefined && given !== token) {
    return refuse(response, 401, undefined, "Invalid credentials in Authorization header");
  }
  const isStranger = token !== undefined && given === undefined;
  if (action === "" || (isStranger && gated !== true)) {
    // A stranger is not told whether there is such a repository.
    return refuse(
      response,
      given === undefined ? 401 : 404,
      "RepoNotFound",
      "Repository not found",
    );
  }
  if (isStranger && !api) {
    return refuse(response, 401, "GatedRepo", `Access to model ${repository} is restricted.`);
  }
  const commit = options.branches[revision === "HEAD" ? "main" : revision] ?? revision;
  const files = commits[commit];
  if (files === undefined) {
    return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
  }
  if (api && action === "revision") {
    const sha = url.searchParams.getAll("expand").includes("sha") ? { sha: commit } : {};
    return sendJson(response, { _id: "1", id: repository, ...sha, private: false, gated: false });
  }
  if (api && action === "tree") return sendTree(response, url, files, options.pageSize ?? 4);
  const content = files[rest.join("/")];
  if (action !== "resolve" || content === undefined) {
    return refuse(response, 404, "EntryNotFound", "Entry not found");
  }
  const [large, bytes] = [isLarge(content), Buffer.from(content)];
  response.setHeader("X-Repo-Commit", commit);
  if (large) {
    response.setHeader("X-Linked-Size", bytes.length).setHeader("X-Linked-ETag", sha256Of(bytes));
    response.writeHead(302, { Location: `${cdn}/${sha256Of(bytes)}` }).end();
    return;
  }
  response.setHeader("ETag", `"${gitHashOf(bytes)}"`);
  response.end(bytes);
}

/** `/api/models/OWNER/NAME/tree/REVISION?recursive=true`: the next page stands in the Link header. */
function sendTree(
  response: ServerResponse,
  url: URL,
  files: Readonly<Record<string, string | Buffer>>,
  pageSize: number,
): void {
  const folders = new Set(Object.keys(files).flatMap((path) => path.split("/").slice(0, -1)));
  const entries = [
    ...[...folders].map((path) => ({ type: "directory", oid: "0", size: 0, path })),
    ...Object.entries(files).map(([path, content]) => {
      const bytes = Buffer.from(content);
      const file = { type: "file", oid: gitHashOf(bytes), size: bytes.length, path };
      const oid = sha256Of(bytes);
      return isLarge(bytes)
        ? { ...file, oid: "pointer", lfs: { oid, size: bytes.length, pointerSize: 130 } }
        : file;
    }),
  ];
  const start = Number(url.searchParams.get("cursor") ?? 0);
  if (start + pageSize < entries.length) {
    url.searchParams.set("cursor", String(start + pageSize));
    response.setHeader("Link", `<${url.href}>; rel="next"`);
  }
  sendJson(response, entries.slice(start, start + pageSize));
}

function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  found: Buffer | undefined,
  faults: HubFaults,
  held: (() => void)[],
): void {
  if (found === undefined) return void response.writeHead(404).end();
  const content = faults.tampers === true ? Buffer.from(found).fill("x", 0, 1) : found;
  const range = faults.ignoresRanges === true ? undefined : request.headers.range;
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const body = content.subarray(start);
  response.writeHead(range === undefined ? 200 : 206, {
    "Content-Length": body.length,
    ...(range !== undefined && {
      "Content-Range": `bytes ${start}-${content.length - 1}/${content.length}`,
    }),
  });
  const { cut, holdAfterBytes } = faults;
  if (cut !== undefined && cut.times > 0) {
    cut.times -= 1;
    response.write(body.subarray(0, cut.afterBytes), () => response.destroy());
  } else if (holdAfterBytes !== undefined) {
    response.write(body.subarray(0, holdAfterBytes));
    held.push(() => response.end(body.subarray(holdAfterBytes)));
  } else {
    response.end(body);
  }
}

function failed({ fail }: HubFaults, response: ServerResponse): boolean {
  if (fail === undefined || fail.times === 0) return false;
  fail.times -= 1;
  response.writeHead(fail.status).end();
  return true;
}

function refuse(
  response: ServerResponse,
  status: number,
  code: string | undefined,
  message: string,
): void {
  if (code !== undefined) response.setHeader("X-Error-Code", code);
  response.setHeader("X-Error-Message", message);
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ error: message }));
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.setHeader("Content-Type", "application/json").end(JSON.stringify(body));
}

function isLarge(content: string | Buffer): boolean {
  return Buffer.byteLength(content) >= LARGE_FROM_BYTES;
}

export function sha256Of(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function gitHashOf(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void) {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
