import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import type { VertexModelOutputs } from "../../providers/model.ts";
import type { ArchiveUploadOutputs } from "../../providers/upload.ts";
import type { EngineState } from "./program-engine.ts";
import { archivesOf } from "./program-observation.ts";
import type { SeenCloud } from "./program-observation.ts";
import type { ExpectedCloud, Wanted } from "./program-reference.ts";
import { MODEL_ID, archiveObject } from "./program-settings.ts";

/** Collects what is not as it should be, in words. */
class Findings {
  readonly list: string[] = [];

  expect(what: string, found: unknown, expected: unknown): void {
    if (inOrder(found) === inOrder(expected)) return;
    this.list.push(`${what}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
  }
}

/** The same text for the same content. (Jest's own objects have other prototypes than Node's.) */
function inOrder(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === "object" && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  );
}

/** What is not as declared after an up that said that all is done. */
export function findDifferences(
  cloud: SeenCloud,
  expected: ExpectedCloud,
  { stackUid }: Wanted,
): string[] {
  const found = new Findings();
  const ofSpec = cloud.deployed.map(
    ({ id: _id, model: _model, modelVersionId: _version, serverId: _server, ...fields }) => fields,
  );
  found.expect("deployed models", ofSpec, [expected.deployed]);
  found.expect("deploys under way", cloud.deploying, []);
  const [serving] = cloud.deployed;
  found.expect("split", cloud.split, { [serving?.id ?? "none"]: 100 });
  const version = cloud.versions.find(({ id }) => id === serving?.modelVersionId);
  found.expect(
    "aliases of the version that serves",
    [...(version?.aliases ?? [])].sort(),
    ["default", "live", expected.alias].sort(),
  );
  const ids = cloud.versions.map(({ id }) => id);
  const kept = expected.newVersion ? ids.slice(0, -1) : ids;
  found.expect("versions", kept, expected.keptVersions);
  found.expect("archives", archivesOf(cloud, stackUid), expected.archives);
  found.expect("labels of the model", cloud.model?.labels, expected.labels);
  found.expect("description of the model", cloud.model?.description, expected.description);
  for (const [what, labels] of [
    ["bucket", cloud.bucket?.labels],
    ["endpoint", cloud.endpoint?.labels],
  ] as const) {
    const { "goog-pulumi-provisioned": _ours, ...others } = labels ?? {};
    found.expect(`labels of the ${what}`, others, expected.labels);
  }
  return found.list;
}

/** What the state says that is not so, once an up has said that all is done. */
export function findLies(state: EngineState, cloud: SeenCloud, wanted: Wanted): string[] {
  const found = new Findings();
  const outputs = <T>(name: string) => (state.resources[name]?.outs ?? {}) as Partial<T>;
  const archive = outputs<ArchiveUploadOutputs>("archive");
  const object = cloud.objects.find(({ name }) => name === archiveObject(wanted.digest));
  found.expect("digest in the state", archive.digest, wanted.digest);
  found.expect("checksum in the state", archive.crc32c, object?.crc32c);
  const [serving] = cloud.deployed;
  const model = outputs<VertexModelOutputs>("model");
  found.expect("version of the model in the state", model.versionId, serving?.modelVersionId);
  const deployment = outputs<ModelDeploymentOutputs>("deployment");
  found.expect("deployed model in the state", deployment.deployedModelId, serving?.id);
  found.expect("deployed version in the state", deployment.versionId, serving?.modelVersionId);
  found.expect("machine in the state", deployment.machineType, serving?.machineType);
  found.expect("most replicas in the state", deployment.maxReplicas, serving?.maxReplicaCount);
  found.expect("last step in the state", deployment.tidied, true);
  for (const name of ["archive", "model", "deployment"]) {
    const { pending, drift } = outputs<ModelDeploymentOutputs>(name);
    found.expect(`pending of ${name}`, pending, null);
    found.expect(`drift of ${name}`, drift, null);
  }
  return found.list;
}

/** What is left of the stack, once a destroy has said that all is done. */
export function findLeftovers(state: EngineState, cloud: SeenCloud, stackUid: string): string[] {
  const found = new Findings();
  found.expect("archives", archivesOf(cloud, stackUid), []);
  found.expect("bucket", cloud.bucket, undefined);
  found.expect("model", cloud.model, undefined);
  found.expect("endpoint", cloud.endpoint, undefined);
  found.expect("state", state, { resources: {} });
  return found.list;
}

/** What may never be, whatever happens: one spec twice on the endpoint, or twice in the model. */
export function findDuplicates(cloud: Pick<SeenCloud, "deployed" | "deploying" | "versions">) {
  const specs = [...cloud.deployed, ...cloud.deploying]
    .filter(({ displayName }) => displayName.startsWith(`${MODEL_ID}-`))
    .map(({ displayName, machineType }) => `deployed model "${displayName}" on ${machineType}`);
  const versions = cloud.versions.map(({ artifactUri }) => `version of "${artifactUri}"`);
  const all = [...specs, ...versions];
  return all.filter((one, position) => all.indexOf(one) !== position).map((one) => `twice: ${one}`);
}

/**
 * What is otherwise than it was, by its name in `SeenCloud`. Of servers only which ones there are: after a restart of the
 * emulator they come back one by one, whatever an up does meanwhile.
 */
export function findChanges(before: SeenCloud, after: SeenCloud): string[] {
  const found = new Findings();
  const was = partsOf(before);
  for (const [part, is] of Object.entries(partsOf(after))) found.expect(part, is, was[part]);
  return found.list;
}

function partsOf({ all, ...parts }: SeenCloud): Readonly<Record<string, unknown>> {
  return { ...parts, ...all, servers: all.servers.map(({ id }) => id) };
}
