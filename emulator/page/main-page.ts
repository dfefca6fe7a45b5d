import { formatCount } from "./format.ts";
import { html } from "./html.ts";
import type { Markup } from "./html.ts";
import { layout } from "./layout.ts";
import { bucketsSection } from "./sections/buckets.ts";
import { faultsSection, quotasSection } from "./sections/declared.ts";
import { endpointsSection } from "./sections/endpoints.ts";
import { modelsSection } from "./sections/models.ts";
import { operationsSection } from "./sections/operations.ts";
import { overview } from "./sections/overview.ts";
import { requestsSection } from "./sections/requests.ts";
import type { PageContext } from "./source.ts";

/** `/`: everything at a glance. */
export function mainPage(context: PageContext, url: URL): Markup {
  const state = context.state();
  const sections: [string, string, number][] = [
    ["endpoints", "Endpoints", state.endpoints.length],
    ["models", "Models", state.models.length],
    ["buckets", "Buckets", state.buckets.length],
    ["operations", "Operations", state.operations.length],
    ["requests", "Last requests", context.requests.list().length],
  ];
  const links = sections.map(
    ([id, title, count]) => html`<a href="#${id}">${title} ${formatCount(count)}</a>`,
  );
  return layout({
    title: "Local Vertex AI and Cloud Storage",
    url,
    header: [overview(context, state), html`<nav aria-label="Sections">${links}</nav>`],
    main: [
      faultsSection(context),
      quotasSection(context),
      endpointsSection(context, state),
      modelsSection(context, state),
      bucketsSection(state),
      operationsSection(context, state),
      requestsSection(context),
    ],
  });
}
