import { formatBytes, formatCount, formatPlural, formatTime } from "./format.ts";
import { html } from "./html.ts";
import type { Fragment, Markup } from "./html.ts";
import { layout } from "./layout.ts";
import { bucketPath } from "./links.ts";
import type { ListedObject, PageContext } from "./source.ts";
import { empty, table } from "./table.ts";

const PAGE_SIZE = 100;
const COLUMNS = [
  { title: "Object" },
  { title: "Size", isNumber: true },
  { title: "Type" },
  { title: "Updated" },
  { title: "Generation", isNumber: true },
];

/** `buckets/BUCKET?prefix=P&page=N`: the live objects of a bucket. Throws ApiError NOT_FOUND. */
export function bucketPage(context: PageContext, url: URL, bucket: string): Markup {
  const prefix = url.searchParams.get("prefix") ?? "";
  const objects = context.listObjects(bucket, prefix);
  const pages = Math.max(1, Math.ceil(objects.length / PAGE_SIZE));
  const asked = Number.parseInt(url.searchParams.get("page") ?? "1", 10);
  const page = Math.min(Math.max(Number.isNaN(asked) ? 1 : asked, 1), pages);
  const shown = objects.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  const bytes = objects.reduce((sum, { size }) => sum + size, 0);
  const total = `${formatPlural(objects.length, "object")}, ${formatBytes(bytes)}`;
  const now = context.clock.now();
  return layout({
    title: `Bucket ${bucket}`,
    url,
    header: html`<nav aria-label="Way back"><a href="/#buckets">All of the emulator</a></nav>`,
    main: [
      html`<form method="get" action="${bucketPath(bucket)}" role="search">
        <label>
          Names that begin with
          <input type="search" name="prefix" value="${prefix}" autocomplete="off" />
        </label>
        <button>List</button>
      </form>`,
      shown.length === 0
        ? empty(
            prefix === ""
              ? "This bucket is empty. Any Cloud Storage client can upload to it."
              : html`No object's name begins with <code>${prefix}</code>.`,
          )
        : [
            html`<p class="note">${pages === 1 ? total : `${total}; page ${page} of ${pages}`}</p>`,
            table(
              `Objects of ${bucket}`,
              COLUMNS,
              shown.map((object) => row(bucket, object, now)),
            ),
          ],
      pageLinks(url, page, pages),
    ],
  });
}

function row(bucket: string, object: ListedObject, now: Date): Markup {
  const media = `/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(object.name)}?alt=media`;
  // Saved, never shown: an object may hold a page with scripts of anyone's.
  return html`<tr>
    <th scope="row" class="name wrap"><a href="${media}" download>${object.name}</a></th>
    <td class="number" title="${formatCount(object.size)} bytes">${formatBytes(object.size)}</td>
    <td>${object.contentType}</td>
    <td>${formatTime(object.updated, now)}</td>
    <td class="number">${object.generation}</td>
  </tr>`;
}

function pageLinks(url: URL, page: number, pages: number): Fragment {
  if (pages === 1) return undefined;
  const link = (target: number, text: string): Fragment => {
    if (target < 1 || target > pages) return undefined;
    const query = new URLSearchParams(url.searchParams);
    query.set("page", String(target));
    return html`<a href="${`${url.pathname}?${query.toString()}`}">${text}</a>`;
  };
  return html`<nav aria-label="Pages">
    ${link(page - 1, "Previous page")} ${link(page + 1, "Next page")}
  </nav>`;
}
