import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32 } from "node:zlib";

/** A Python package index on this machine, in the two formats that indexes speak. */
export interface TestIndex {
  /** Address of all projects. */
  readonly url: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  /** Authorization headers that came, in the same order. */
  readonly authorizations: (string | undefined)[];
  stop(): Promise<void>;
}

export interface TestIndexOptions {
  /** The web page of PEP 503 instead of the JSON of PEP 691. @default false */
  readonly isPage?: boolean;
  /** Answers this status instead, for so many requests for a file. */
  readonly failures?: { status: number; left: number };
}

/** Serves files by their projects: { pillow: { "pillow-1.0-py3-none-any.whl": bytes } }. */
export async function startPackageIndex(
  projects: Readonly<Record<string, Readonly<Record<string, Buffer>>>>,
  options: TestIndexOptions = {},
): Promise<TestIndex> {
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? "";
    requests.push(path);
    authorizations.push(request.headers.authorization);
    const [, folder = "", project = "", file = ""] = path.split("/");
    const files = projects[project];
    const content = files?.[file];
    const { failures } = options;
    if (folder === "files" && failures !== undefined && failures.left > 0) {
      failures.left -= 1;
      response.writeHead(failures.status).end();
    } else if (folder === "files" && content !== undefined) {
      response.end(content);
    } else if (folder === "simple" && files !== undefined) {
      const listed = Object.entries(files).map(([filename, bytes]) => ({
        filename,
        url: `../../files/${project}/${filename}`,
        hashes: { sha256: sha256Of(bytes) },
        size: bytes.length,
      }));
      response
        .setHeader("content-type", options.isPage === true ? "text/html" : SIMPLE_JSON)
        .end(options.isPage === true ? toPage(listed) : toJson(project, listed));
    } else {
      response.writeHead(404).end();
    }
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/simple`,
    requests,
    authorizations,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const SIMPLE_JSON = "application/vnd.pypi.simple.v1+json";

interface Listed {
  readonly filename: string;
  readonly url: string;
  readonly hashes: { readonly sha256: string };
}

function toJson(name: string, files: readonly Listed[]): string {
  return JSON.stringify({ meta: { "api-version": "1.1" }, name, files });
}

function toPage(files: readonly Listed[]): string {
  const links = files.map(
    ({ filename, url, hashes }) => `<a href="${url}#sha256=${hashes.sha256}">${filename}</a><br/>`,
  );
  return `<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`;
}

/** A wheel with nothing but what installers and resolvers read, and the given files. */
export function makeWheel(
  name: string,
  version: string,
  options: {
    readonly requires?: readonly string[];
    readonly requiresPython?: string;
    readonly files?: Readonly<Record<string, string>>;
  } = {},
): Buffer {
  const info = `${name.replaceAll("-", "_")}-${version}.dist-info`;
  const metadata = [
    ...["Metadata-Version: 2.1", `Name: ${name}`, `Version: ${version}`],
    ...(options.requires ?? []).map((requirement) => `Requires-Dist: ${requirement}`),
    ...(options.requiresPython === undefined ? [] : [`Requires-Python: ${options.requiresPython}`]),
  ];
  return makeZip({
    ...options.files,
    [`${info}/METADATA`]: `${metadata.join("\n")}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${info}/RECORD`]: "",
  });
}

/** A ZIP file of stored entries. */
function makeZip(files: Readonly<Record<string, string>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(files)) {
    const name = Buffer.from(path);
    const content = Buffer.from(text);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, content]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, 0]);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02"), madeBy, common, tail, name]));
    locals.push(local);
    offset += local.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(locals.length, 4);
  end.writeUInt16LE(locals.length, 6);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    8,
  );
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, ...directory, Buffer.from("PK\x05\x06"), end]);
}

export function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
