import { formatCount } from "./format.ts";
import { html } from "./html.ts";
import type { Fragment, Markup } from "./html.ts";

export interface Column {
  readonly title: string;
  /** Numbers line up at their end. */
  readonly isNumber?: boolean;
}

/** A table that scrolls by itself when it is wider than the window. */
export function table(caption: string, columns: readonly Column[], rows: Fragment): Markup {
  return groupedTable(
    caption,
    columns,
    html`<tbody>
      ${rows}
    </tbody>`,
  );
}

/** A table of several `<tbody>`. Its caption is for those who hear the page: others see the heading. */
export function groupedTable(
  caption: string,
  columns: readonly Column[],
  bodies: Fragment,
): Markup {
  const heads = columns.map(
    ({ title, isNumber }) =>
      html`<th scope="col" ${isNumber === true ? html` class="number"` : ""}>${title}</th>`,
  );
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      ${bodies}
    </table>
  </div>`;
}

/** A section of a page under its own heading. */
export function section(id: string, title: string, count: Fragment, content: Fragment): Markup {
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title} <span class="count">${count}</span></h2>
    ${content}
  </section>`;
}

/** How many of a list are shown. */
export function newestOf(shown: number, all: number): string {
  return all <= shown ? formatCount(all) : `newest ${shown} of ${formatCount(all)}`;
}

/** What stands where there is nothing yet: that, and how to get something. */
export function empty(content: Fragment): Markup {
  return html`<p class="empty">${content}</p>`;
}

/** A state in words, with a mark of its kind: colour is never the only sign. */
export function badge(kind: "good" | "busy" | "bad" | "plain", text: string): Markup {
  return html`<span class="badge ${kind}">${text}</span>`;
}

/** Text of many lines: the first one, and the rest on demand. `id` keeps it open while the page refreshes itself. */
export function longText(id: string, text: string): Markup {
  const [first = "", ...rest] = text.trim().split("\n");
  const head = first.length > LINE_LENGTH ? `${first.slice(0, LINE_LENGTH)}…` : first;
  if (rest.length === 0 && head === first) return html`${first}`;
  return html`<details id="${id}">
    <summary>${head}</summary>
    <pre>${text.trim()}</pre>
  </details>`;
}

const LINE_LENGTH = 240;
