import type { EmulatorState, ModelState } from "../../state.ts";
import { formatCount, formatTime, lastPart } from "../format.ts";
import { html } from "../html.ts";
import type { Fragment, Markup } from "../html.ts";
import { artifactLink, resourceLink } from "../links.ts";
import type { PageContext } from "../source.ts";
import { badge, empty, groupedTable, section } from "../table.ts";

const COLUMNS = [
  { title: "Version", isNumber: true },
  { title: "Aliases" },
  { title: "Artifacts and image" },
  { title: "Created" },
  { title: "Deployed on" },
];

/** Models, each with its versions, newest first. */
export function modelsSection(context: PageContext, state: EmulatorState): Markup {
  const { models } = state;
  return section(
    "models",
    "Models",
    formatCount(models.length),
    models.length === 0
      ? empty(
          html`No model yet. <code>npm run local</code> makes one, or call
            <code>ModelService.UploadModel</code> with an <code>artifactUri</code> that holds a
            <code>model.mar</code>.`,
        )
      : groupedTable(
          "Models and their versions, newest version first",
          COLUMNS,
          models.map((model) => modelRows(context, state, model)),
        ),
  );
}

function modelRows(context: PageContext, state: EmulatorState, model: ModelState): Markup {
  const now = context.clock.now();
  const versions = [...model.versions].reverse().map(
    (version) =>
      html`<tr>
        <td class="number">${version.versionId}</td>
        <td>${version.aliases.map((alias) => html`${badge("plain", alias)} `)}</td>
        <td>
          ${version.artifactUri === "" ? "no artifacts" : artifactLink(version.artifactUri)}<br />
          <small class="name">${version.imageUri}</small>
        </td>
        <td>${formatTime(version.createTime, now)}</td>
        <td>${deployments(state, model.name, version.versionId)}</td>
      </tr>`,
  );
  return html`<tbody id="${model.name}">
    <tr>
      <th scope="rowgroup" colspan="${COLUMNS.length}">
        ${model.displayName} <small class="name">${model.name}</small>
      </th>
    </tr>
    ${versions}
  </tbody>`;
}

function deployments(state: EmulatorState, model: string, versionId: string): Fragment {
  const endpoints = state.endpoints.filter((endpoint) =>
    [...endpoint.deployedModels, ...endpoint.deployingModels].some(
      (one) => one.model === model && one.modelVersionId === versionId,
    ),
  );
  if (endpoints.length === 0) return html`<small>nowhere</small>`;
  return endpoints.map(
    ({ name, displayName }) =>
      html`${resourceLink(name, displayName === "" ? lastPart(name) : displayName)}<br />`,
  );
}
