import type { EmulatorState } from "../../state.ts";
import { projectNumberOf } from "../../projects.ts";
import { formatDuration, formatTime } from "../format.ts";
import { html } from "../html.ts";
import type { Fragment, Markup } from "../html.ts";
import type { PageContext } from "../source.ts";

const CLOCKS = {
  real: "real: operations take their time",
  fast: "fast: operations take no time",
  manual: "manual: moved by POST /_emulator/clock",
} as const;

/** Where the emulator is reached and how it runs. */
export function overview(context: PageContext, state: EmulatorState): Markup {
  const { rest, grpc, pid, data } = context.address();
  const { mode } = context.clock;
  const now = context.clock.now();
  const facts: [string, Fragment][] = [
    ["REST", html`<code>${rest}</code>`],
    ["gRPC", html`<code>${grpc}</code>`],
    ["Project and region", projectRegions(context, state)],
    [
      "Clock",
      [CLOCKS[mode], mode === "manual" ? html`, now ${formatTime(now.toISOString(), now)}` : ""],
    ],
    ["Data folder", html`<code>${data}</code>`],
    ["Up for", html`${formatDuration(context.uptimeMs())}, pid ${pid}`],
  ];
  return html`<dl class="facts">
    ${facts.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** Those of all resources; the number's id is known only from requests that named it. */
function projectRegions(context: PageContext, state: EmulatorState): Fragment {
  const names = [...state.models, ...state.endpoints, ...state.operations].map(({ name }) => name);
  const asked = context.requests.list().map(({ resource }) => resource);
  const ids = new Map(
    asked.flatMap((resource) => {
      const id = /^projects\/([^/]+)\//.exec(resource)?.[1];
      return id === undefined || /^[0-9]+$/.test(id) ? [] : [[projectNumberOf(id), id] as const];
    }),
  );
  const places = new Set(
    names.flatMap((name) => {
      const [, project = "", region] = /^projects\/([^/]+)\/locations\/([^/]+)\//.exec(name) ?? [];
      if (region === undefined) return [];
      const id = ids.get(project);
      return [`${id === undefined ? project : `${id} (${project})`}, ${region}`];
    }),
  );
  if (places.size === 0) return "any; none used yet";
  return [...places].map((place, index) => html`${index === 0 ? "" : html`<br />`}${place}`);
}
