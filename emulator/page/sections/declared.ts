import type { Fault } from "../../faults.ts";
import { formatCount } from "../format.ts";
import { html } from "../html.ts";
import type { Fragment } from "../html.ts";
import type { PageContext } from "../source.ts";
import { section, table } from "../table.ts";

const FAULT_COLUMNS = [
  { title: "Id", isNumber: true },
  { title: "Method" },
  { title: "What happens" },
  { title: "Calls left", isNumber: true },
  { title: "Operations held", isNumber: true },
];
const QUOTA_COLUMNS = [
  { title: "Region" },
  { title: "GPUs or vCPUs" },
  { title: "Limit", isNumber: true },
];

/** Faults that wait for their calls; nothing where there are none. */
export function faultsSection(context: PageContext): Fragment {
  const faults = context.faults.list();
  if (faults.length === 0) return undefined;
  const rows = faults.map(
    (fault) =>
      html`<tr>
        <td class="number">${fault.id}</td>
        <th scope="row">${fault.method}</th>
        <td class="wrap">${effectOf(fault)}</td>
        <td class="number">${formatCount(fault.left)}</td>
        <td class="number">${formatCount(fault.holding)}</td>
      </tr>`,
  );
  return section("faults", "Declared faults", formatCount(faults.length), [
    table("Faults that are not used up", FAULT_COLUMNS, rows),
    html`<p class="note"><code>DELETE /_emulator/faults?id=ID</code> takes one back.</p>`,
  ]);
}

function effectOf(fault: Fault): string {
  const message = fault.message === undefined ? "" : `: ${fault.message}`;
  const failure = `${fault.status ?? "INTERNAL"}${message}`;
  if (fault.hold === true) return "its operation runs until this fault is deleted";
  if (fault.stage !== undefined) return `its operation fails at ${fault.stage} with ${failure}`;
  const effects = [
    fault.delayMs === undefined ? "" : `waits ${formatCount(fault.delayMs)} ms`,
    fault.reset === true ? "drops the connection" : "",
    fault.status === undefined ? "" : `answers ${failure}`,
  ].filter((effect) => effect !== "");
  const when = fault.when === "after" ? "after the work was done" : "before the work";
  return `${when}: ${effects.join(", ")}`;
}

/** Quotas that were set; nothing where all are Google's defaults. */
export function quotasSection(context: PageContext): Fragment {
  const rows = Object.entries(context.quotas()).flatMap(([region, limits]) =>
    Object.entries(limits).map(
      ([kind, limit]) =>
        html`<tr>
          <td>${region}</td>
          <th scope="row">${kind}</th>
          <td class="number">${limit === null ? "no limit" : formatCount(limit)}</td>
        </tr>`,
    ),
  );
  if (rows.length === 0) return undefined;
  return section("quotas", "Changed quotas", formatCount(rows.length), [
    table("Quotas that are not Google's defaults", QUOTA_COLUMNS, rows),
    html`<p class="note"><code>PUT /_emulator/quotas</code> with <code>{}</code> undoes them.</p>`,
  ]);
}
