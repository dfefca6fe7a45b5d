import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "../errors.ts";
import { toApiError } from "../http.ts";
import { bucketPage } from "./bucket-page.ts";
import { html } from "./html.ts";
import type { Markup } from "./html.ts";
import { layout, SECURITY_HEADERS } from "./layout.ts";
import { PAGE_PREFIX } from "./links.ts";
import { logPage } from "./log-page.ts";
import { mainPage } from "./main-page.ts";
import type { PageContext, PageSource } from "./source.ts";

export type { PageSource } from "./source.ts";

/** Answers a request for a page; false, with nothing touched, where the path is none of them. */
export type PageHandler = (req: IncomingMessage, res: ServerResponse, url: URL) => boolean;

/** The pages for people: `/`, and details below `/_emulator/page/`. They change nothing. */
export function createPage(source: PageSource): PageHandler {
  const startedMs = performance.now();
  const context: PageContext = { ...source, uptimeMs: () => performance.now() - startedMs };
  return (req, res, url) => {
    if (url.pathname !== "/" && !url.pathname.startsWith(PAGE_PREFIX)) return false;
    if (req.method !== "GET" && req.method !== "HEAD") {
      const page = errorPage(url, "Not allowed", `Pages answer GET and HEAD, not ${req.method}.`);
      send(req, res, 405, page, { allow: "GET, HEAD" });
      return true;
    }
    try {
      send(req, res, 200, findPage(context, url));
    } catch (error) {
      const { httpStatus, message } = toApiError(error);
      const title = httpStatus === 404 ? "Not found" : "Not shown";
      send(req, res, httpStatus, errorPage(url, title, message));
    }
    return true;
  };
}

function findPage(context: PageContext, url: URL): Markup {
  if (url.pathname === "/") return mainPage(context, url);
  const [kind, name = "", ...more] = url.pathname.slice(PAGE_PREFIX.length).split("/");
  if (name !== "" && more.length === 0) {
    if (kind === "buckets") return bucketPage(context, url, decode(name));
    if (kind === "logs") return logPage(context, url, decode(name));
  }
  throw new ApiError("NOT_FOUND", `There is no page ${url.pathname}.`);
}

/** Throws NOT_FOUND for what is no percent-encoding. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ApiError("NOT_FOUND", `There is no page for "${segment}".`);
  }
}

function errorPage(url: URL, title: string, message: string): Markup {
  return layout({
    title,
    url,
    main: html`<p>${message}</p>
      <p><a href="/">All of the emulator</a></p>`,
  });
}

function send(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  page: Markup,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.destroyed) return;
  const body = Buffer.from(page.toString());
  res.writeHead(status, {
    ...SECURITY_HEADERS,
    ...headers,
    "content-type": "text/html; charset=utf-8",
    "content-length": body.length,
  });
  res.end(req.method === "HEAD" ? undefined : body);
}
