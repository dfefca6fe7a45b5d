import { ApiError } from "../errors.ts";
import type { EndpointDocument } from "./types.ts";

const LONGEST_INFERENCE_TIMEOUT_SECONDS = 3600;

/** A VPC network, Private Service Connect and a dedicated DNS name exclude each other. */
export function checkNetworking(endpoint: EndpointDocument): void {
  const chosen = [
    ...(endpoint.network === undefined ? [] : ["network"]),
    ...(endpoint.privateServiceConnectConfig?.enablePrivateServiceConnect === true
      ? ["private_service_connect_config"]
      : []),
    ...(endpoint.dedicatedEndpointEnabled === true ? ["dedicated_endpoint_enabled"] : []),
  ];
  if (chosen.length < 2) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `Only one of endpoint.${chosen.join(" and ")} can be set.`,
  );
}

export function checkLogging(endpoint: EndpointDocument): void {
  const config = endpoint.predictRequestResponseLoggingConfig;
  if (config?.enabled !== true) return;
  const rate = config.samplingRate ?? 0;
  if (rate > 0 && rate <= 1) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `endpoint.predict_request_response_logging_config.sampling_rate must be more than 0 and at most 1, got ${rate}.`,
  );
}

export function checkInferenceTimeout(endpoint: EndpointDocument): void {
  const timeout = endpoint.clientConnectionConfig?.inferenceTimeout;
  if (timeout === undefined) return;
  const seconds = Number.parseFloat(timeout);
  if (seconds > 0 && seconds <= LONGEST_INFERENCE_TIMEOUT_SECONDS) return;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `endpoint.client_connection_config.inference_timeout must be more than 0 and at most ${LONGEST_INFERENCE_TIMEOUT_SECONDS} s, got ${timeout}.`,
  );
}
