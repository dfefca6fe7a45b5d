import { ApiError } from "../errors.ts";
import type { StatusName } from "../errors.ts";
import type { HttpAnswer } from "../runtime/http-client.ts";
import { ServerCallError } from "../runtime/server-calls.ts";
import type { CallFailure, Payload } from "../runtime/server-calls.ts";
import type { Cloud, MethodCall } from "./cloud.ts";
import { getDeployed, getEndpoint, isDedicated, serverIdOf } from "./endpoints.ts";
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
  const { deployed, answer } = await askServer(cloud, endpoint, call, {
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

interface RawRequest {
  readonly endpoint?: string;
  readonly httpBody?: { readonly contentType?: string; readonly data?: string };
}

export async function rawPredict(
  cloud: Cloud,
  request: RawRequest,
  call: MethodCall,
): Promise<Document> {
  const endpoint = checkReachable(cloud, request.endpoint, call);
  const { deployed, answer } = await askServer(cloud, endpoint, call, toPayload(request));
  nameServer(call, endpoint, deployed);
  return toHttpBody(answer.contentType, answer.body);
}

/** Hands the container's answer on as it comes; a caller that goes away ends the container's request too. */
export async function* streamRawPredict(
  cloud: Cloud,
  request: RawRequest,
  call: MethodCall,
): AsyncGenerator<Document> {
  const endpoint = checkReachable(cloud, request.endpoint, call);
  const { deployed, serverId } = chooseServer(endpoint);
  try {
    const asked = cloud.servers.stream(
      serverId,
      toPayload(request),
      timeoutOf(endpoint),
      call.signal,
    );
    killIfDeclared(cloud, endpoint, call, serverId);
    const answer = await asked;
    if (isFailure(answer.status)) {
      throw containerError({ ...answer, body: await readAll(answer.chunks) });
    }
    nameServer(call, endpoint, deployed);
    let sent = 0;
    for await (const chunk of answer.chunks) {
      sent += chunk.length;
      checkResponseSize(endpoint, sent);
      yield toHttpBody(answer.contentType, chunk);
    }
  } catch (error) {
    throw toApiError(error);
  }
}

function toPayload(request: RawRequest): Payload {
  return {
    contentType: request.httpBody?.contentType ?? "application/json",
    body: Buffer.from(request.httpBody?.data ?? "", "base64"),
  };
}

function toHttpBody(contentType: string, body: Buffer): Document {
  return { contentType, data: body.toString("base64") };
}

function nameServer(call: MethodCall, endpoint: EndpointRecord, deployed: DeployedRecord): void {
  call.setHeader("X-Vertex-AI-Endpoint-Id", parseEndpointName(endpoint.name).id);
  call.setHeader("X-Vertex-AI-Deployed-Model-Id", deployed.id);
}

async function readAll(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const chunk of chunks) read.push(chunk);
  return Buffer.concat(read);
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
  call: MethodCall,
  payload: Payload,
): Promise<{ deployed: DeployedRecord; answer: HttpAnswer }> {
  const { deployed, serverId } = chooseServer(endpoint);
  try {
    const asked = cloud.servers.predict(serverId, payload, timeoutOf(endpoint));
    killIfDeclared(cloud, endpoint, call, serverId);
    const answer = await asked;
    if (isFailure(answer.status)) throw containerError(answer);
    checkResponseSize(endpoint, answer.body.length);
    return { deployed, answer };
  } catch (error) {
    throw toApiError(error);
  }
}

function chooseServer(endpoint: EndpointRecord): { deployed: DeployedRecord; serverId: string } {
  const id = chooseByTraffic(endpoint.trafficSplit, Math.random());
  if (id === undefined) {
    throw new ApiError(
      "FAILED_PRECONDITION",
      `The Endpoint "${endpoint.name}" has no DeployedModel that takes traffic.`,
    );
  }
  return { deployed: getDeployed(endpoint, id), serverId: serverIdOf(endpoint, id) };
}

function killIfDeclared(
  cloud: Cloud,
  endpoint: EndpointRecord,
  call: MethodCall,
  serverId: string,
): void {
  if (cloud.faults.takeKill(call.method, endpoint.name)) cloud.servers.kill(serverId);
}

function isFailure(status: number): boolean {
  return status < 200 || status >= 300;
}

function checkResponseSize(endpoint: EndpointRecord, bytes: number): void {
  if (bytes <= limitOf(endpoint)) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `Response payload size exceeds the limit: ${limitOf(endpoint)} bytes.`,
  );
}

const STATUS_BY_FAILURE: Readonly<Record<CallFailure, StatusName>> = {
  NOT_READY: "UNAVAILABLE",
  CONNECTION_LOST: "UNAVAILABLE",
  TIMEOUT: "DEADLINE_EXCEEDED",
  TOO_LARGE: "INVALID_ARGUMENT",
};

function toApiError(error: unknown): unknown {
  if (!(error instanceof ServerCallError)) return error;
  return new ApiError(STATUS_BY_FAILURE[error.reason], error.message);
}

/** A container's refusal with its own code and body; like Google's it names no model. */
function containerError(answer: Pick<HttpAnswer, "status" | "body">): ApiError {
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
