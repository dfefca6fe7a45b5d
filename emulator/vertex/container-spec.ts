import { ApiError } from "../errors.ts";
import type { Probe } from "../runtime/server-spec.ts";
import type { ContainerSpec, ModelDocument } from "./types.ts";

/** "Limit for deployment timeout is 2 hours": the reference of ModelContainerSpec. */
const LONGEST_DEPLOYMENT_TIMEOUT_SECONDS = 7200;
const C_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PROBES = ["startupProbe", "healthProbe", "livenessProbe"] as const;
const PROBE_KINDS = ["exec", "httpGet", "grpc", "tcpSocket"] as const;

/** The container of an UploadModel request. Throws INVALID_ARGUMENT. */
export function checkContainer(document: ModelDocument): ContainerSpec {
  const container = document.containerSpec;
  if (container?.imageUri === undefined) {
    throw new ApiError("INVALID_ARGUMENT", "model.container_spec.image_uri is required.");
  }
  container.env?.forEach((variable) => checkVariable(variable.name ?? ""));
  [...(container.ports ?? []), ...(container.grpcPorts ?? [])].forEach((port) =>
    checkPort("ports.container_port", port.containerPort),
  );
  checkRoutes(container);
  checkDeploymentTimeout(container.deploymentTimeout);
  for (const name of PROBES) checkProbe(toSnakeCase(name), container[name]);
  return container;
}

function checkVariable(name: string): void {
  if (!C_IDENTIFIER.test(name)) throw refuse("env", `"${name}" is not a valid C identifier`);
  if (name.startsWith("AIP_")) {
    throw refuse(
      "env",
      `"${name}" may not be set: names that begin with AIP_ are set by Vertex AI`,
    );
  }
}

function checkPort(field: string, port: number | undefined): void {
  if (port !== undefined && port >= 1 && port <= 65_535) return;
  throw refuse(field, `a port must be between 1 and 65535, got ${port ?? "none"}`);
}

function checkRoutes(container: ContainerSpec): void {
  const { invokeRoutePrefix, predictRoute } = container;
  if (invokeRoutePrefix === undefined) return;
  if (invokeRoutePrefix !== "/*") {
    throw refuse("invoke_route_prefix", `only "/*" is supported, got "${invokeRoutePrefix}"`);
  }
  if (predictRoute !== undefined) {
    throw refuse("invoke_route_prefix", "only one of predict_route and it can be set");
  }
}

function checkDeploymentTimeout(timeout: string | undefined): void {
  if (timeout === undefined) return;
  const seconds = Number.parseFloat(timeout);
  if (seconds > 0 && seconds <= LONGEST_DEPLOYMENT_TIMEOUT_SECONDS) return;
  throw refuse(
    "deployment_timeout",
    `it must be more than 0 and at most ${LONGEST_DEPLOYMENT_TIMEOUT_SECONDS} s, got ${timeout}`,
  );
}

function checkProbe(field: string, probe: Probe | undefined): void {
  if (probe === undefined) return;
  const kind = PROBE_KINDS.find((one) => probe[one] !== undefined);
  if (kind === undefined) {
    throw refuse(field, "one of exec, http_get, grpc and tcp_socket must be set");
  }
  if (kind === "grpc" || kind === "tcpSocket") checkPort(`${field}.port`, probe[kind]?.port);
  // The reference states minima of 1 (0 for the delay); here an unset number reads as its default.
  const numbers = [
    ...([probe.periodSeconds, probe.timeoutSeconds] as const),
    ...([probe.failureThreshold, probe.successThreshold, probe.initialDelaySeconds] as const),
  ];
  const negative = numbers.find((value) => value !== undefined && value < 0);
  if (negative !== undefined) throw refuse(field, `${negative} is below the smallest value`);
}

function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function refuse(field: string, problem: string): ApiError {
  return new ApiError("INVALID_ARGUMENT", `model.container_spec.${field}: ${problem}.`);
}
