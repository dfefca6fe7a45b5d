import { ApiError } from "../errors.ts";
import type { StatusName } from "../errors.ts";
import { call as callServer } from "../runtime/http-client.ts";
import type { HttpAnswer } from "../runtime/http-client.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { getDeployed, getEndpoint, serverIdOf } from "./endpoints.ts";
import { getModel } from "./models.ts";
import { parseEndpointName } from "./names.ts";
import { chooseByTraffic } from "./traffic.ts";
import type { DeployedRecord, Document, EndpointRecord, Json } from "./types.ts";

const SHARED_LIMIT_BYTES = 1_500_000;
const DEDICATED_LIMIT_BYTES = 10_000_000;
const SHARED_TIMEOUT_MS = 60_000;
const DEDICATED_TIMEOUT_MS = 600_000;
/** More of a container's error body than this helps nobody. */
const MESSAGE_LENGTH = 4000;

const STATUS_BY_HTTP: Readonly<Record<number, StatusName>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export async function predict(
  cloud: Cloud,
  request: { readonly endpoint?: string; readonly instances?: Json; readonly parameters?: Json },
  call: MethodCall,
): Promise<Document> {
  const endpoint = checkReachable(cloud, request.endpoint, call);
  if (!Array.isArray(request.instances) || request.instances.length === 0) {
    throw new ApiError("INVALID_ARGUMENT", "instances is required and must not be empty.");
  }
  const { instances, parameters } = request;
  const body = parameters === undefined ? { instances } : { instances, parameters };
  const { deployed, answer } = await askServer(cloud, endpoint, {
    contentType: "application/json",
    body: Buffer.from(JSON.stringify(body)),
  });
  return {
    ...readPredictions(answer),
    deployedModelId: deployed.id,
    model: deployed.model,
    modelVersionId: deployed.versionId,
    modelDisplayName: getModel(cloud, deployed.model).displayName,
  };
}

function readPredictions(answer: HttpAnswer): Document {
  const parsed = parseJson(answer.body);
  const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
  const predictions = isObject ? (parsed as Document)["predictions"] : undefined;
  if (!Array.isArray(predictions)) {
    throw new ApiError(
      "INTERNAL",
      'The container\'s answer is not a prediction: expected JSON of the form {"predictions": [...]}.',
    );
  }
  const metadata = (parsed as Document)["metadata"];
  return metadata === undefined ? { predictions } : { predictions, metadata };
}

export async function rawPredict(
  cloud: Cloud,
  request: {
    readonly endpoint?: string;
    readonly httpBody?: { readonly contentType?: string; readonly data?: string };
  },
  call: MethodCall,
): Promise<Document> {
  const endpoint = checkReachable(cloud, request.endpoint, call);
  const { deployed, answer } = await askServer(cloud, endpoint, {
    contentType: request.httpBody?.contentType ?? "application/json",
    body: Buffer.from(request.httpBody?.data ?? "", "base64"),
  });
  call.setHeader("X-Vertex-AI-Endpoint-Id", parseEndpointName(endpoint.name).id);
  call.setHeader("X-Vertex-AI-Deployed-Model-Id", deployed.id);
  return { contentType: answer.contentType, data: answer.body.toString("base64") };
}

/** The endpoint by the host that serves it, and within the payload limit. */
function checkReachable(cloud: Cloud, name: string | undefined, call: MethodCall): EndpointRecord {
  const endpoint = getEndpoint(cloud, name);
  const { id } = parseEndpointName(endpoint.name);
  const dns = endpoint.document["dedicatedEndpointDns"];
  if (typeof dns === "string") {
    if (call.host !== dns && call.endpointHeader !== id) {
      throw new ApiError(
        "FAILED_PRECONDITION",
        `Dedicated Endpoint cannot be accessed through the shared Vertex AI domain. Please access the endpoint using its dedicated dns name "${dns}".`,
      );
    }
  } else if (call.host.endsWith(".prediction.vertexai.goog")) {
    throw new ApiError("NOT_FOUND", `No dedicated Endpoint is served by "${call.host}".`);
  }
  const limit = limitOf(endpoint);
  if (call.requestBytes > limit) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `Request payload size exceeds the limit: ${limit} bytes.`,
    );
  }
  return endpoint;
}

function isDedicated(endpoint: EndpointRecord): boolean {
  return endpoint.document.dedicatedEndpointEnabled === true;
}

function limitOf(endpoint: EndpointRecord): number {
  return isDedicated(endpoint) ? DEDICATED_LIMIT_BYTES : SHARED_LIMIT_BYTES;
}

function timeoutOf(endpoint: EndpointRecord): number {
  if (!isDedicated(endpoint)) return SHARED_TIMEOUT_MS;
  const own = endpoint.document.clientConnectionConfig?.inferenceTimeout;
  return own === undefined ? DEDICATED_TIMEOUT_MS : Number.parseFloat(own) * 1000;
}

async function askServer(
  cloud: Cloud,
  endpoint: EndpointRecord,
  payload: { readonly contentType: string; readonly body: Buffer },
): Promise<{ deployed: DeployedRecord; answer: HttpAnswer }> {
  const id = chooseByTraffic(endpoint.trafficSplit, Math.random());
  if (id === undefined) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `The Endpoint "${endpoint.name}" has no DeployedModel that takes traffic.`,
    );
  }
  const deployed = getDeployed(endpoint, id);
  const url = cloud.servers.predictUrl(serverIdOf(endpoint, id));
  if (url === undefined) {
    throw new ApiError("UNAVAILABLE", "The model server is not ready. Try again later.");
  }
  const answer = await post(url, payload, timeoutOf(endpoint));
  if (answer.status < 200 || answer.status >= 300) throw containerError(answer);
  if (answer.body.length > limitOf(endpoint)) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `Response payload size exceeds the limit: ${limitOf(endpoint)} bytes.`,
    );
  }
  return { deployed, answer };
}

async function post(
  url: string,
  payload: { readonly contentType: string; readonly body: Buffer },
  timeoutMs: number,
): Promise<HttpAnswer> {
  try {
    return await callServer({ method: "POST", url, ...payload, timeoutMs });
  } catch (error) {
    if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError")) {
      throw new ApiError(
        "DEADLINE_EXCEEDED",
        `The model server did not answer within ${timeoutMs / 1000} s.`,
      );
    }
    throw new ApiError("UNAVAILABLE", "The model server closed the connection.");
  }
}

/** A container's refusal with its own code and body; like Google's it names no model. */
function containerError(answer: HttpAnswer): ApiError {
  const fallback = answer.status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  const status = STATUS_BY_HTTP[answer.status] ?? fallback;
  const text = answer.body.toString("utf8").slice(0, MESSAGE_LENGTH);
  return new ApiError(status, text === "" ? `The container answered HTTP ${answer.status}.` : text);
}

function parseJson(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString("utf8")) as Json;
  } catch {
    return undefined;
  }
}
