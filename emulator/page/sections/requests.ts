import type { LoggedRequest } from "../../request-log.ts";
import { formatDuration, formatTime } from "../format.ts";
import { html } from "../html.ts";
import type { Markup } from "../html.ts";
import { withoutProject } from "../links.ts";
import type { PageContext } from "../source.ts";
import { badge, empty, newestOf, section, table } from "../table.ts";

const SHOWN = 50;
const COLUMNS = [
  { title: "Time" },
  { title: "Method" },
  { title: "Resource" },
  { title: "Status" },
  { title: "Took", isNumber: true },
  { title: "Client" },
];

/** The last Google API calls, newest first. */
export function requestsSection(context: PageContext): Markup {
  const requests = context.requests.list();
  const now = context.clock.now();
  const rows = requests
    .slice(-SHOWN)
    .reverse()
    .map((request) => row(request, now));
  return section(
    "requests",
    "Last requests",
    newestOf(SHOWN, requests.length),
    rows.length === 0
      ? empty(
          html`No Google API call yet. Point a client at ${context.address().rest} (REST) or
          ${context.address().grpc} (gRPC, without TLS).`,
        )
      : table("Google API calls, newest first", COLUMNS, rows),
  );
}

function row(request: LoggedRequest, now: Date): Markup {
  return html`<tr>
    <td>${formatTime(request.time, now)}</td>
    <td title="${request.method}">${shortMethod(request.method)}</td>
    <td class="name wrap" title="${request.resource}">${withoutProject(request.resource)}</td>
    <td>${badge(request.status === "OK" ? "good" : "bad", request.status)}</td>
    <td class="number">${formatDuration(request.durationMs)}</td>
    <td><span class="client" title="${request.caller}">${request.caller}</span></td>
  </tr>`;
}

/** "ModelService.UploadModel", and "v1beta1 ModelService.UploadModel" where it is not v1. */
function shortMethod(method: string): string {
  const [, version, rest] = /^google\.cloud\.aiplatform\.(\w+)\.(.+)$/.exec(method) ?? [];
  if (rest === undefined) return method.replace(/^google\.longrunning\./, "");
  return version === "v1" ? rest : `${version} ${rest}`;
}
