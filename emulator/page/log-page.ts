import { formatBytes, lastPart } from "./format.ts";
import { html } from "./html.ts";
import type { Fragment, Markup } from "./html.ts";
import { layout } from "./layout.ts";
import { rawLogPath } from "./links.ts";
import type { PageContext } from "./source.ts";
import { badge, empty } from "./table.ts";

const TAIL_LENGTH = 64 * 1024;

/** ANSI colours and the like. */
// eslint-disable-next-line no-control-regex -- escape sequences begin with one
const ESCAPES = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

/** `logs/ID`: the end of the log of a deployed model's server, also of one that is gone. Throws ApiError NOT_FOUND. */
export function logPage(context: PageContext, url: URL, id: string): Markup {
  const log = context.readLog(id);
  const tail = tailOf(log);
  return layout({
    title: `Log of ${nameOf(context, id)}`,
    url,
    header: [
      html`<nav aria-label="Way back">
        <a href="/#endpoints">All of the emulator</a>
        <a href="${rawLogPath(id)}">Log as plain text</a>
      </nav>`,
      html`<p>
        ${serverState(context, id)}
        ${tail.length < log.length ? `The last ${formatBytes(TAIL_LENGTH)} of the log.` : undefined}
      </p>`,
    ],
    main:
      tail === ""
        ? empty("Nothing is written yet.")
        : html`<pre class="log" role="region" aria-label="Log" tabindex="0" data-follow>
${tail.replace(ESCAPES, "")}</pre>`,
  });
}

/** Whole lines from the end. */
function tailOf(log: string): string {
  if (log.length <= TAIL_LENGTH) return log;
  const end = log.slice(-TAIL_LENGTH);
  return end.slice(end.indexOf("\n") + 1);
}

function nameOf(context: PageContext, id: string): string {
  for (const endpoint of context.state().endpoints) {
    const deployed = [...endpoint.deployedModels, ...endpoint.deployingModels].find(
      (one) => one.serverId === id,
    );
    if (deployed !== undefined) {
      return `${deployed.displayName} (${deployed.id} on ${lastPart(endpoint.name)})`;
    }
  }
  return id;
}

function serverState(context: PageContext, id: string): Fragment {
  const server = context.state().servers.find((one) => one.id === id);
  if (server === undefined) return badge("bad", "not running");
  return badge(server.state === "READY" ? "good" : "busy", server.state);
}
