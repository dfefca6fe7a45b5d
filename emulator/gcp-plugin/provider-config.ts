import type { CheckFailure, Labels, Properties } from "./resource-type.ts";
import { UNKNOWN, isRecord } from "./resource-type.ts";

/** What of the provider's configuration has a meaning on a local stack. Credentials, zones, quotas and so on have none. */
export interface ProviderConfig {
  readonly project: string | undefined;
  /** Base URLs that end in "/"; undefined when not set. At least one is set and both are loopback. */
  readonly storage: string | undefined;
  readonly vertexAi: string | undefined;
  readonly defaultLabels: Labels;
  readonly addAttributionLabel: boolean;
}

const ENDPOINTS = [
  { key: "storageCustomEndpoint", variable: "GOOGLE_STORAGE_CUSTOM_ENDPOINT" },
  { key: "vertexAiCustomEndpoint", variable: "GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT" },
] as const;
const PROJECT_VARIABLES = [
  "GOOGLE_PROJECT",
  "GOOGLE_CLOUD_PROJECT",
  "GCLOUD_PROJECT",
  "CLOUDSDK_CORE_PROJECT",
];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Why this plugin refuses to run with these settings: it must never talk to Google, so the endpoints have to be set and on
 * loopback. Empty when it may run. What comes from the environment names no property. Unknown values pass; configure sees them resolved.
 */
export function checkConfig(config: Properties, environment: Environment): CheckFailure[] {
  const endpoints = ENDPOINTS.map(({ key, variable }) => ({
    key,
    variable,
    value: config[key] || environment[variable],
  }));
  if (endpoints.every(({ value }) => !value)) {
    const [storage, vertexAi] = ENDPOINTS;
    const reason =
      `the local gcp plugin never talks to Google, and no local endpoint is set. Set "gcp:${storage.key}" and ` +
      `"gcp:${vertexAi.key}" (or ${storage.variable} and ${vertexAi.variable}), or install the official plugin.`;
    return [{ property: "", reason }];
  }
  return endpoints.flatMap(({ key, variable, value }) => {
    const problem = value && value !== UNKNOWN ? endpointProblem(String(value)) : undefined;
    if (problem === undefined) return [];
    return config[key]
      ? [{ property: key, reason: `"${String(value)}" ${problem}` }]
      : [{ property: "", reason: `${variable} "${String(value)}" ${problem}` }];
  });
}

/** Settings to work with, environment behind the configuration as in the official provider. Throws what checkConfig finds. */
export function resolveConfig(config: Properties, environment: Environment): ProviderConfig {
  const failures = checkConfig(config, environment);
  if (failures.length > 0) {
    throw new Error(failures.map(({ reason }) => `Could not configure gcp: ${reason}`).join(" "));
  }
  const text = (value: unknown, ...variables: string[]) => {
    if (typeof value === "string" && value !== "" && value !== UNKNOWN) return value;
    return variables.map((variable) => environment[variable]).find(Boolean);
  };
  const [storage, vertexAi] = ENDPOINTS;
  return {
    project: text(config.project, ...PROJECT_VARIABLES),
    storage: text(config[storage.key], storage.variable),
    vertexAi: text(config[vertexAi.key], vertexAi.variable),
    defaultLabels: parseLabels(config.defaultLabels),
    addAttributionLabel: String(config.addPulumiAttributionLabel ?? true) !== "false",
  };
}

function endpointProblem(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    return 'is not a URL. Write it as "http://127.0.0.1:PORT/v1/".';
  }
  if (!/^(127(\.\d+){3}|\[::1\]|localhost)$/.test(url.hostname)) {
    return "is not a loopback address, and the local gcp plugin talks to nothing else. Install the official plugin to use it.";
  }
  // The official provider's own rule: paths are appended to it as text.
  return value.endsWith("/") && url.pathname !== "/" ? undefined : 'has to end in "/VERSION/".';
}

/** The engine hands nested configuration over as JSON text. */
function parseLabels(value: unknown): Labels {
  const labels: unknown =
    typeof value === "string" && value.startsWith("{") ? JSON.parse(value) : value;
  if (!isRecord(labels)) return {};
  return Object.fromEntries(Object.entries(labels).map(([key, label]) => [key, String(label)]));
}
