import { undefinedIfNotFound } from "../google-rest.ts";
import type { Properties, ResourceType } from "../resource-type.ts";
import { UNKNOWN, isEmpty, isRecord } from "../resource-type.ts";
import { toDeployedModelOutput } from "./deployed-model-output.ts";

type Document = Record<string, unknown>;

/** Inputs that Google stores under the same name and form, trafficSplit apart. */
const FIELDS = [
  "displayName",
  "description",
  "trafficSplit",
  "encryptionSpec",
  "network",
  "predictRequestResponseLoggingConfig",
  "dedicatedEndpointEnabled",
] as const;

/**
 * gcp.vertex.AiEndpoint. What can't be changed in place is as magic-modules' Endpoint.yaml marks it: name, location, region,
 * network, encryptionSpec, and project by its location in the URL. The official provider patches dedicatedEndpointEnabled,
 * so this one does; whether Google takes that patch is not documented.
 */
export const AI_ENDPOINT: ResourceType = {
  token: "gcp:vertex/aiEndpoint:AiEndpoint",
  noun: "endpoint",
  inputs: {
    name: { required: true, forceNew: true },
    location: { required: true, forceNew: true },
    region: { forceNew: true },
    project: { forceNew: true, providerProject: true },
    displayName: { required: true },
    description: {},
    labels: {},
    trafficSplit: { computed: true, comparable: parseSplit },
    encryptionSpec: { forceNew: true },
    network: { forceNew: true },
    predictRequestResponseLoggingConfig: {},
    dedicatedEndpointEnabled: {},
    deletionPolicy: { computed: true },
  },
  outputsOnly: [
    "createTime",
    "dedicatedEndpointDns",
    "deployedModels",
    "etag",
    "modelDeploymentMonitoringJob",
    "updateTime",
  ],

  check({ trafficSplit }) {
    if (trafficSplit === undefined || trafficSplit === UNKNOWN) return [];
    if (isRecord(parseSplit(trafficSplit))) return [];
    return [
      {
        property: "trafficSplit",
        reason: "trafficSplit is not a JSON object. Write it as '{\"ID\": 100}'.",
      },
    ];
  },
  id: endpointName,
  fromId(id, project) {
    const full =
      /^projects\/([^/]+)\/locations\/([^/]+)\/endpoints\/([^/]+)$/.exec(id) ??
      /^(?:([^/]+)\/)?([^/]+)\/([^/]+)$/.exec(id);
    return full ? { project: full[1] ?? project, location: full[2], name: full[3] } : undefined;
  },

  async create(rest, inputs, labels) {
    const parent = endpointName(inputs).replace(/\/[^/]+$/, "");
    const id = encodeURIComponent(String(inputs.name));
    const operation = await rest.request("vertexAi", "POST", `${parent}?endpointId=${id}`, {
      ...toFields(inputs),
      ...(!isEmpty(labels) && { labels }),
    });
    await rest.waitForOperation(operation);
    return await rest.request("vertexAi", "GET", endpointName(inputs));
  },

  async get(rest, inputs) {
    return await rest.request("vertexAi", "GET", endpointName(inputs));
  },

  toOutputs(document) {
    const deployedModels = Array.isArray(document.deployedModels) ? document.deployedModels : [];
    const { displayName, createTime, updateTime } = document;
    const optional = [
      "description",
      "network",
      "encryptionSpec",
      "predictRequestResponseLoggingConfig",
      "dedicatedEndpointEnabled",
    ];
    return {
      displayName,
      createTime,
      updateTime,
      ...Object.fromEntries(
        optional.filter((name) => !isEmpty(document[name])).map((name) => [name, document[name]]),
      ),
      dedicatedEndpointDns: document.dedicatedEndpointDns ?? "",
      deployedModels: deployedModels.filter(isRecord).map(toDeployedModelOutput),
      // The official provider does not read it back (magic-modules: ignore_read).
      etag: "",
      modelDeploymentMonitoringJob: document.modelDeploymentMonitoringJob ?? "",
      trafficSplit: isRecord(document.trafficSplit) ? toSortedJson(document.trafficSplit) : "",
    };
  },

  async update(rest, inputs, changed, labels) {
    const mask = [...FIELDS, "labels"].filter((field) => changed.has(field));
    // A changed deletionPolicy is only recorded.
    if (mask.length === 0) return await rest.request("vertexAi", "GET", endpointName(inputs));
    const path = `${endpointName(inputs)}?updateMask=${encodeURIComponent(mask.join(","))}`;
    return await rest.request("vertexAi", "PATCH", path, {
      ...toFields(inputs),
      labels: labels.after,
    });
  },

  async delete(rest, recorded) {
    const operation = await rest
      .request("vertexAi", "DELETE", endpointName(recorded))
      .catch(undefinedIfNotFound);
    if (operation) await rest.waitForOperation(operation);
  },
};

function endpointName(inputs: Properties): string {
  const { project, location, name } = inputs;
  return `projects/${String(project)}/locations/${String(location)}/endpoints/${String(name)}`;
}

function toFields(inputs: Properties): Document {
  const set = FIELDS.filter((field) => !isEmpty(inputs[field]));
  return Object.fromEntries(
    set.map((field) => [
      field,
      field === "trafficSplit" ? parseSplit(inputs[field]) : inputs[field],
    ]),
  );
}

function parseSplit(text: unknown): unknown {
  try {
    return JSON.parse(String(text)) as unknown;
  } catch {
    return text;
  }
}

/** The form that the official provider keeps in the state: no spaces, keys in order. */
function toSortedJson(split: Document): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(split).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}
