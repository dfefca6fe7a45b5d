import { kindOfImage } from "../runtime/images.ts";
import type { ServerSpec } from "../runtime/server-pool.ts";
import { archiveFile, storageUriOf } from "./artifacts.ts";
import type { Cloud } from "./cloud.ts";
import { serverIdOf } from "./endpoints.ts";
import { findVersion, getModel } from "./models.ts";
import { parseEndpointName } from "./names.ts";
import type { ContainerSpec, DeployedRecord, EndpointRecord, VersionRecord } from "./types.ts";

const DEFAULT_PORT = 8080;

interface Routes {
  readonly healthRoute: string;
  readonly predictRoute: string;
}

/** What the process of a deployed model runs on. */
export function toServerSpec(
  cloud: Cloud,
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
): ServerSpec {
  const version = findVersion(getModel(cloud, deployed.model), deployed.versionId);
  const spec = version.containerSpec;
  const routes = routesOf(spec, endpoint, deployed);
  return {
    id: serverIdOf(endpoint, deployed.id),
    imageUri: spec.imageUri ?? "",
    archive: version.artifactFolder === "" ? "" : archiveFile(cloud, version.artifactFolder),
    env: {
      // What makes Google's storage clients read AIP_STORAGE_URI here.
      STORAGE_EMULATOR_HOST: cloud.storageUrl(),
      ...containerEnvironment(endpoint, deployed, version, routes),
    },
    ...routes,
    command: spec.command ?? [],
    args: spec.args ?? [],
    ...(spec.deploymentTimeout === undefined
      ? {}
      : { deploymentTimeoutMs: Number.parseFloat(spec.deploymentTimeout) * 1000 }),
    ...(spec.startupProbe === undefined ? {} : { startupProbe: spec.startupProbe }),
    ...(spec.healthProbe === undefined ? {} : { healthProbe: spec.healthProbe }),
    ...(spec.livenessProbe === undefined ? {} : { livenessProbe: spec.livenessProbe }),
  };
}

/** A prebuilt image has routes of its own (Google's samples set none); a custom one gets those of the container contract. */
function routesOf(spec: ContainerSpec, endpoint: EndpointRecord, deployed: DeployedRecord): Routes {
  const { id } = parseEndpointName(endpoint.name);
  const contract = `/v1/endpoints/${id}/deployedModels/${deployed.id}`;
  const own =
    kindOfImage(spec.imageUri ?? "") === "prebuilt"
      ? { healthRoute: "/ping", predictRoute: "/predictions/model" }
      : { healthRoute: contract, predictRoute: `${contract}:predict` };
  return {
    healthRoute: spec.healthRoute ?? own.healthRoute,
    predictRoute: spec.predictRoute ?? own.predictRoute,
  };
}

/** The environment that the container contract promises, and the model's own variables. */
function containerEnvironment(
  endpoint: EndpointRecord,
  deployed: DeployedRecord,
  version: VersionRecord,
  routes: Routes,
): Record<string, string> {
  const { id, parent } = parseEndpointName(endpoint.name);
  const spec = version.containerSpec;
  const machine = deployed.document.dedicatedResources?.machineSpec;
  const own: Record<string, string> = {
    AIP_HTTP_PORT: String(spec.ports?.[0]?.containerPort ?? DEFAULT_PORT),
    AIP_HEALTH_ROUTE: routes.healthRoute,
    AIP_PREDICT_ROUTE: routes.predictRoute,
    AIP_STORAGE_URI: storageUriOf(version),
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

/** $(NAME) becomes the value of a variable that is known by then; $$(NAME) stays as $(NAME). */
function expand(value: string, known: Readonly<Record<string, string>>): string {
  return value.replace(
    /\$(\$?)\(([A-Za-z_][A-Za-z0-9_]*)\)/g,
    (match, escape: string, name: string) =>
      escape === "$" ? `$(${name})` : (known[name] ?? match),
  );
}
