import { parseEndpointName } from "./names.ts";
import type { DeployedRecord, EndpointRecord, VersionRecord } from "./types.ts";

/** Routes of the prebuilt PyTorch images. */
export const HEALTH_ROUTE = "/ping";
export const PREDICT_ROUTE = "/predictions/model";
const DEFAULT_PORT = 8080;

/** The environment that the container contract promises, and the model's own variables. */
export function containerEnvironment(
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
  version: VersionRecord,
): Record<string, string> {
  const { id, parent } = parseEndpointName(endpoint.name);
  const spec = version.containerSpec;
  const machine = deployed.document.dedicatedResources?.machineSpec;
  const own: Record<string, string> = {
    AIP_HTTP_PORT: String(spec.ports?.[0]?.containerPort ?? DEFAULT_PORT),
    AIP_HEALTH_ROUTE: spec.healthRoute ?? HEALTH_ROUTE,
    AIP_PREDICT_ROUTE: spec.predictRoute ?? PREDICT_ROUTE,
    AIP_STORAGE_URI: storageUri(version),
    AIP_MODE: "PREDICTION",
    AIP_MODE_VERSION: "1.0.0",
    AIP_ENDPOINT_ID: id,
    AIP_MODEL_NAME: id,
    AIP_DEPLOYED_MODEL_ID: deployed.id,
    AIP_VERSION_NAME: deployed.id,
    AIP_PROJECT_NUMBER: parent.projectNumber,
    AIP_FRAMEWORK: "CUSTOM_CONTAINER",
    AIP_MACHINE_TYPE: machine?.machineType ?? "",
    ...(machine?.acceleratorType === undefined
      ? {}
      : { AIP_ACCELERATOR_TYPE: machine.acceleratorType }),
  };
  const given = (spec.env ?? []).reduce<Record<string, string>>((known, variable) => {
    const value = expand(variable.value ?? "", { ...own, ...known });
    return { ...known, [variable.name ?? ""]: value };
  }, {});
  return { ...given, ...own };
}

/** Google gives a folder in a bucket of its own; the copy's name stands in that form. */
function storageUri(version: VersionRecord): string {
  return version.artifactFolder === ""
    ? ""
    : `gs://caip-tenant-local/${version.artifactFolder}/artifacts`;
}

/** $(NAME) becomes the value of a variable that is known by then; $$(NAME) stays as $(NAME). */
function expand(value: string, known: Readonly<Record<string, string>>): string {
  return value.replace(
    /\$(\$?)\(([A-Za-z_][A-Za-z0-9_]*)\)/g,
    (match, escape: string, name: string) =>
      escape === "$" ? `$(${name})` : (known[name] ?? match),
  );
}
