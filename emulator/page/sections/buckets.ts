import type { EmulatorState } from "../../state.ts";
import { formatBytes, formatCount } from "../format.ts";
import { html } from "../html.ts";
import type { Markup } from "../html.ts";
import { bucketPath } from "../links.ts";
import { empty, section, table } from "../table.ts";

const COLUMNS = [
  { title: "Bucket" },
  { title: "Objects", isNumber: true },
  { title: "Size", isNumber: true },
];

/** Buckets with what lies in them. */
export function bucketsSection(state: EmulatorState): Markup {
  const { buckets } = state;
  const rows = buckets.map(
    ({ name, objects, bytes }) =>
      html`<tr>
        <th scope="row"><a href="${bucketPath(name)}">${name}</a></th>
        <td class="number">${formatCount(objects)}</td>
        <td class="number" title="${formatCount(bytes)} bytes">${formatBytes(bytes)}</td>
      </tr>`,
  );
  return section(
    "buckets",
    "Buckets",
    formatCount(buckets.length),
    rows.length === 0
      ? empty(
          html`No bucket yet. <code>npm run local</code> makes one, or point a Cloud Storage client
            here and create it.`,
        )
      : table("Buckets with their live objects", COLUMNS, rows),
  );
}
