import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { html, trusted } from "./html.ts";
import type { Fragment, Markup } from "./html.ts";

const STYLE = readFileSync(join(import.meta.dirname, "page.css"), "utf8");
const SCRIPT = readFileSync(join(import.meta.dirname, "follow.js"), "utf8");
// Byte for byte what the hashes are of: a formatter of templates would change that.
const STYLE_ELEMENT = trusted(`<style>${STYLE}</style>`);
const SCRIPT_ELEMENT = trusted(`<script type="module">${SCRIPT}</script>`);
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M1 2h4l3 9 3-9h4l-5 13H6z' fill='%233f7fd8'/%3E%3C/svg%3E";
const RELOAD_S = 5;

/** For every page: nothing from elsewhere, no script but ours, nobody's frame, no copy kept. */
export const SECURITY_HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    `style-src ${hashOf(STYLE)}`,
    `script-src ${hashOf(SCRIPT)}`,
    "connect-src 'self'",
    "img-src data:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

export interface Layout {
  readonly title: string;
  /** Under the title, before the main part. */
  readonly header?: Fragment;
  readonly main: Fragment;
  /** Address of this page: tells how it is paused. */
  readonly url: URL;
}

/** A whole document, that keeps itself fresh unless the address holds `pause`. */
export function layout({ title, header, main, url }: Layout): Markup {
  const isPaused = url.searchParams.has("pause");
  const reload = html`<noscript><meta http-equiv="refresh" content="${RELOAD_S}" /></noscript>`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="${ICON}" />
        ${isPaused ? undefined : reload} ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          <div class="title">
            <h1>${title}</h1>
            ${pauseLink(url, isPaused)}
          </div>
          ${header}
        </header>
        <p id="lost" role="status" hidden>
          The emulator does not answer: this is the last that it said. The page goes on by itself
          when it is back.
        </p>
        <main>${main}</main>
        <footer>Times are UTC, by the emulator's clock.</footer>
        ${isPaused ? undefined : SCRIPT_ELEMENT}
      </body>
    </html>`;
}

function pauseLink(url: URL, isPaused: boolean): Markup {
  const query = new URLSearchParams(url.searchParams);
  if (isPaused) query.delete("pause");
  else query.set("pause", "1");
  const target = [url.pathname, query.toString()].filter((part) => part !== "").join("?");
  return isPaused
    ? html`<span>Paused. <a href="${target}">Resume</a></span>`
    : html`<span>Refreshes itself. <a href="${target}">Pause</a></span>`;
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
