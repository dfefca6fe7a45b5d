import { isDeepStrictEqual } from "node:util";
import type { EndpointDocument, Observation } from "./property-observation.ts";
import { lastSegment } from "./property-model-calls.ts";
import { addUp, GPU_LIMIT } from "./property-reference.ts";
import type { ReferenceCloud } from "./property-reference.ts";

/** What must be true of every local Vertex AI at rest, whatever was done to it. Answers what is not. */
export function violations(seen: Observation): string[] {
  return [
    ...seen.endpoints.flatMap((endpoint) => [
      ...splitViolations(endpoint),
      ...deployedViolations(seen, endpoint),
    ]),
    ...[...seen.versions].flatMap(([model]) => versionViolations(seen, model)),
    ...duplicates("model", seen.models),
    ...duplicates("endpoint", seen.endpoints),
    ...duplicates("operation", seen.operations),
    ...operationViolations(seen),
    ...quotaViolations(seen),
  ];
}

function splitViolations({ name, trafficSplit = {}, deployedModels = [] }: EndpointDocument) {
  const keys = Object.keys(trafficSplit);
  const ids = deployedModels.map(({ id }) => id);
  const strangers = keys.filter((key) => !ids.includes(key));
  return [
    ...(keys.length > 0 && addUp(trafficSplit) !== 100
      ? [`The split of ${name} totals ${addUp(trafficSplit)}.`]
      : []),
    ...strangers.map((id) => `The split of ${name} names "${id}", which is not deployed.`),
  ];
}

/** Each deployed model has its version, and the version names it; none names one that is not there. */
function deployedViolations(seen: Observation, endpoint: EndpointDocument): string[] {
  const { name, deployedModels = [] } = endpoint;
  const broken = deployedModels.filter(({ id, model, modelVersionId }) => {
    const versions = seen.versions.get(lastSegment(model)) ?? [];
    const version = versions.find(({ versionId }) => versionId === modelVersionId);
    return (
      version?.deployedModels?.some((one) =>
        isDeepStrictEqual(one, { endpoint: name, deployedModelId: id }),
      ) !== true
    );
  });
  return [
    ...broken.map(
      (one) => `"${one.id}" on ${name} lacks its version ${one.model}@${one.modelVersionId}.`,
    ),
    ...duplicates(
      `deployed model of ${name}`,
      deployedModels.map(({ id }) => ({ name: id })),
    ),
  ];
}

function versionViolations(seen: Observation, model: string): string[] {
  const versions = seen.versions.get(model) ?? [];
  const aliases = versions.flatMap((version) => version.versionAliases ?? []);
  const defaults = aliases.filter((alias) => alias === "default").length;
  const named = versions.flatMap((version) => version.deployedModels ?? []);
  const gone = named.filter(({ endpoint, deployedModelId }) => {
    const found = seen.endpoints.find(({ name }) => name === endpoint);
    return found?.deployedModels?.some(({ id }) => id === deployedModelId) !== true;
  });
  return [
    ...(defaults === 1 ? [] : [`The model "${model}" has ${defaults} default versions.`]),
    ...duplicates(
      `alias of "${model}"`,
      aliases.map((name) => ({ name })),
    ),
    ...duplicates(
      `version of "${model}"`,
      versions.map(({ versionId }) => ({ name: versionId })),
    ),
    ...gone.map((one) => `"${model}" is deployed as ${JSON.stringify(one)}, which is not there.`),
  ];
}

function duplicates(what: string, items: readonly { readonly name: string }[]): string[] {
  const names = items.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return twice.map((name) => `The ${what} "${name}" is there twice.`);
}

/** One operation at a time for a resource; what is being deployed has its operation, and the reverse. */
function operationViolations({ state }: Observation): string[] {
  const running = state.operations.filter(({ done }) => !done);
  const unmatched = state.endpoints.filter(({ name, deploying }) => {
    const deploys = running.filter(
      ({ target, method }) => target === name && method === "EndpointService.DeployModel",
    );
    return deploys.length !== deploying.length;
  });
  return [
    ...duplicates(
      "running operation on",
      running.map(({ target }) => ({ name: target })),
    ),
    ...unmatched.map(
      ({ name, deploying }) =>
        `${name} is deploying ${JSON.stringify(deploying)} without operation.`,
    ),
  ];
}

function quotaViolations({ state }: Observation): string[] {
  const gpus = state.endpoints
    .flatMap(({ deployedModels, deployingModels }) => [...deployedModels, ...deployingModels])
    .reduce((sum, one) => sum + one.acceleratorCount * one.maxReplicaCount, 0);
  return gpus <= GPU_LIMIT ? [] : [`${gpus} GPUs are taken, the quota is ${GPU_LIMIT}.`];
}

/** What changed between two observations without a new etag, or has a new etag without a change. */
export function etagViolations(before: Observation, after: Observation): string[] {
  const resources = [...after.documents].filter(([path]) =>
    /^(models|endpoints)\/[^:]*$/.test(path),
  );
  return resources.flatMap(([path, document]) => {
    const earlier = before.documents.get(path);
    if (earlier === undefined) return [];
    const [old, now] = [splitEtag(earlier), splitEtag(document)];
    const isSame = isDeepStrictEqual(old.rest, now.rest);
    if (isSame === (old.etag === now.etag)) return [];
    return [
      `${path} has ${isSame ? "another etag and no change" : `changed to ${JSON.stringify(document)} and kept its etag`}.`,
    ];
  });
}

/** deployedModels of a model belong to the endpoints: they are not its own to change. */
function splitEtag(document: unknown): { etag: unknown; rest: unknown } {
  const { etag, ...rest } = document as Record<string, unknown>;
  if (!("versionId" in rest)) return { etag, rest };
  const { deployedModels: _deployed, ...own } = rest;
  return { etag, rest: own };
}

/** Where what is there is not what should be. */
export function differences(cloud: ReferenceCloud, seen: Observation): string[] {
  const actual = {
    models: Object.fromEntries(
      seen.models.map(({ name, displayName }) => [
        lastSegment(name),
        {
          displayName,
          versions: (seen.versions.get(lastSegment(name)) ?? []).map((version) => ({
            id: version.versionId,
            aliases: [...(version.versionAliases ?? [])].sort(),
            description: version.versionDescription ?? "",
          })),
        },
      ]),
    ),
    endpoints: Object.fromEntries(
      seen.endpoints.map(({ name, displayName, deployedModels = [], trafficSplit = {} }) => [
        lastSegment(name),
        {
          displayName,
          deployed: deployedModels.map((one) => ({
            id: one.id,
            model: lastSegment(one.model),
            versionId: one.modelVersionId,
            maxReplicas: one.dedicatedResources.maxReplicaCount,
          })),
          split: trafficSplit,
        },
      ]),
    ),
    objects: seen.objects,
    operations: Object.fromEntries(seen.operations.map((one) => [one.name, one.done === true])),
  };
  const expected = {
    models: Object.fromEntries(
      Object.entries(cloud.models).map(([id, { displayName, versions }]) => [
        id,
        {
          displayName,
          versions: versions.map((version) => ({
            id: version.id,
            aliases: [...version.aliases].sort(),
            description: version.description,
          })),
        },
      ]),
    ),
    endpoints: cloud.endpoints,
    objects: cloud.objects,
    operations: Object.fromEntries([
      ...[...cloud.ended.keys()].map((name) => [name, true] as const),
      ...cloud.operations.map(({ name }) => [name, false] as const),
    ]),
  };
  return (Object.keys(actual) as (keyof typeof actual)[])
    .filter((part) => !isDeepStrictEqual(actual[part], expected[part]))
    .map(
      (part) =>
        `The ${part} are ${JSON.stringify(actual[part])}, expected ${JSON.stringify(expected[part])}.`,
    );
}
