import type { DeployedModelState, EndpointState, EmulatorState } from "../../state.ts";
import { formatCount, formatDuration, formatPlural, lastPart } from "../format.ts";
import { html } from "../html.ts";
import type { Fragment, Markup } from "../html.ts";
import { logPath, resourceLink } from "../links.ts";
import type { PageContext } from "../source.ts";
import { badge, empty, groupedTable, section } from "../table.ts";

const COLUMNS = [
  { title: "Traffic", isNumber: true },
  { title: "Deployed model" },
  { title: "Model version" },
  { title: "Machine" },
  { title: "Replicas", isNumber: true },
  { title: "Server" },
  { title: "Log" },
];

/** Endpoints with what is deployed on them, and the logs of what is deployed no more. */
export function endpointsSection(context: PageContext, state: EmulatorState): Markup {
  const { endpoints } = state;
  return section("endpoints", "Endpoints", formatCount(endpoints.length), [
    endpoints.length === 0
      ? empty(
          html`No endpoint yet. <code>npm run local</code> brings the whole stack up here, or call
            <code>EndpointService.CreateEndpoint</code>.`,
        )
      : groupedTable(
          "Endpoints and their deployed models",
          COLUMNS,
          endpoints.map((endpoint) => endpointRows(context, state, endpoint)),
        ),
    leftLogs(context, endpoints),
  ]);
}

function endpointRows(context: PageContext, state: EmulatorState, endpoint: EndpointState): Markup {
  const title = endpoint.displayName === "" ? lastPart(endpoint.name) : endpoint.displayName;
  const notes = [noteOf(endpoint)].flatMap((note) =>
    note === undefined
      ? []
      : [
          html`<tr>
            <td class="note" colspan="${COLUMNS.length}">${note}</td>
          </tr>`,
        ],
  );
  return html`<tbody id="${endpoint.name}">
    <tr>
      <th scope="rowgroup" colspan="${COLUMNS.length}">
        ${title} ${badge("plain", endpoint.dedicatedEndpointEnabled ? "dedicated" : "shared")}
        <small class="name">${endpoint.name}</small>
      </th>
    </tr>
    ${endpoint.deployedModels.map((one) => deployedRow(context, state, endpoint, one))}
    ${endpoint.deployingModels.map((one) => deployingRow(context, state, endpoint, one))} ${notes}
  </tbody>`;
}

/** What an endpoint needs before it answers predictions. */
function noteOf({ deployedModels, deployingModels, trafficSplit }: EndpointState): Fragment {
  if (deployedModels.length === 0) {
    if (deployingModels.length > 0) return undefined;
    return html`Nothing is deployed here. Next: <code>EndpointService.DeployModel</code>.`;
  }
  if (Object.values(trafficSplit).some((percent) => percent > 0)) return undefined;
  return html`No deployed model takes traffic, so predictions are refused. Next:
    <code>EndpointService.UpdateEndpoint</code> with a <code>trafficSplit</code>.`;
}

function deployedRow(
  context: PageContext,
  state: EmulatorState,
  endpoint: EndpointState,
  deployed: DeployedModelState,
): Markup {
  const percent = endpoint.trafficSplit[deployed.id] ?? 0;
  const server = state.servers.find((one) => one.id === deployed.serverId);
  return html`<tr>
    <td class="number">${percent} % ${trafficBar(percent)}</td>
    ${describingCells(deployed)}
    <td>${serverCell(server)}</td>
    ${logCell(context, deployed)}
  </tr>`;
}

function serverCell(server: EmulatorState["servers"][number] | undefined): Fragment {
  if (server === undefined) return badge("bad", "no server");
  const { state, pid, restarts } = server;
  const facts = [
    pid === null ? "" : `pid ${pid}`,
    restarts === 0 ? "" : formatPlural(restarts, "restart"),
  ].filter((fact) => fact !== "");
  return [
    badge(state === "READY" ? "good" : "busy", state),
    html` <small>${facts.join(", ")}</small>`,
  ];
}

function deployingRow(
  context: PageContext,
  state: EmulatorState,
  endpoint: EndpointState,
  deployed: DeployedModelState,
): Markup {
  const operation = state.operations.find(
    (one) =>
      !one.done && one.target === endpoint.name && one.method === "EndpointService.DeployModel",
  );
  const elapsedMs =
    operation === undefined
      ? 0
      : context.clock.now().getTime() - new Date(operation.createTime).getTime();
  return html`<tr>
    <td class="number"><small>deploying</small></td>
    ${describingCells(deployed)}
    <td>
      ${badge("busy", operation?.stage ?? "deploying")}
      <small>for ${formatDuration(elapsedMs)}</small>
    </td>
    ${logCell(context, deployed)}
  </tr>`;
}

function describingCells(deployed: DeployedModelState): Fragment {
  const { acceleratorType, acceleratorCount, minReplicaCount, maxReplicaCount } = deployed;
  return [
    html`<th scope="row">
      ${deployed.displayName}<br /><small class="name">${deployed.id}</small>
    </th>`,
    html`<td>
      ${resourceLink(deployed.model, `${lastPart(deployed.model)}@${deployed.modelVersionId}`)}
    </td>`,
    html`<td>
      ${deployed.machineType}<br />
      <small>
        ${acceleratorType === "" ? "no accelerator" : `${acceleratorType} × ${acceleratorCount}`}
      </small>
    </td>`,
    html`<td class="number">
      ${
        minReplicaCount === maxReplicaCount
          ? minReplicaCount
          : `${minReplicaCount}–${maxReplicaCount}`
      }
    </td>`,
  ];
}

function logCell(context: PageContext, deployed: DeployedModelState): Markup {
  if (!context.logIds().includes(deployed.serverId)) return html`<td><small>none yet</small></td>`;
  const label = `Log of ${deployed.displayName}`;
  return html`<td><a href="${logPath(deployed.serverId)}" aria-label="${label}">Log</a></td>`;
}

/** Drawn by attributes: the page's policy lets no inline style through. The number beside it says the same. */
function trafficBar(percent: number): Markup {
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="8" />
    <rect class="share" width="${percent}" height="8" />
  </svg>`;
}

/** A deploy that failed leaves its log: the one that is wanted most. */
function leftLogs(context: PageContext, endpoints: readonly EndpointState[]): Fragment {
  const present = new Set(
    endpoints
      .flatMap((endpoint) => [...endpoint.deployedModels, ...endpoint.deployingModels])
      .map((deployed) => deployed.serverId),
  );
  const left = context.logIds().filter((id) => !present.has(id));
  if (left.length === 0) return undefined;
  const links = left.map((id) => html`<li><a href="${logPath(id)}">${id}</a></li>`);
  return html`<h3>Logs of servers that are gone</h3>
    <p class="note">Named ENDPOINT-DEPLOYED_MODEL. A failed deploy leaves its log here.</p>
    <ul class="inline">
      ${links}
    </ul>`;
}
