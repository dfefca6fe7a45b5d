import { status as codes } from "@grpc/grpc-js";
import type { EmulatorState, OperationState } from "../../state.ts";
import { formatDuration, formatTime, lastPart } from "../format.ts";
import { html } from "../html.ts";
import type { Fragment, Markup } from "../html.ts";
import { withoutProject } from "../links.ts";
import type { PageContext } from "../source.ts";
import { badge, empty, longText, newestOf, section, table } from "../table.ts";

const SHOWN = 50;
const COLUMNS = [
  { title: "Started" },
  { title: "Method" },
  { title: "Target" },
  { title: "Stage" },
  { title: "Took", isNumber: true },
  { title: "Result" },
];

/** Long-running operations, newest first. */
export function operationsSection(context: PageContext, state: EmulatorState): Markup {
  const operations = [...state.operations].sort((a, b) => (a.createTime < b.createTime ? 1 : -1));
  const shown = operations.slice(0, SHOWN);
  const rows = shown.map((operation) => row(operation, context.clock.now()));
  return section(
    "operations",
    "Operations",
    newestOf(SHOWN, operations.length),
    rows.length === 0
      ? empty("No operation yet. Uploads, deploys and deletions show here with their stages.")
      : table("Operations, newest first", COLUMNS, rows),
  );
}

function row(operation: OperationState, now: Date): Markup {
  const started = new Date(operation.createTime).getTime();
  const ended = operation.done ? new Date(operation.updateTime).getTime() : now.getTime();
  return html`<tr id="${operation.name}">
    <td>${formatTime(operation.createTime, now)}</td>
    <th scope="row" title="${operation.name}">${lastMethod(operation.method)}</th>
    <td class="name" title="${operation.target}">${withoutProject(operation.target)}</td>
    <td>${operation.stage === "" ? undefined : html`<small>${operation.stage}</small>`}</td>
    <td class="number">${formatDuration(ended - started)}</td>
    <td class="wrap">${result(operation)}</td>
  </tr>`;
}

function result(operation: OperationState): Fragment {
  if (!operation.done) return badge("busy", "running");
  if (operation.errorCode === 0) return badge("good", "done");
  const status = codes[operation.errorCode] ?? String(operation.errorCode);
  return [
    badge("bad", status),
    " ",
    longText(`error-${lastPart(operation.name)}`, operation.error),
  ];
}

/** "DeployModel" */
function lastMethod(method: string): string {
  return method.slice(method.lastIndexOf(".") + 1);
}
