import type { DeployedModelState, EmulatorState } from "../../emulator/state.ts";
import { OBJECT_STACK_KEY } from "../../providers/ownership.ts";
import { emulatorState } from "./emulator.ts";
import { BUCKET, ENDPOINT, MODEL, MODEL_ID } from "./program-settings.ts";
import { rest } from "./vertex-rest.ts";

/** One version of the stack's model. */
export interface SeenVersion {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly artifactUri: string;
}

/** One object of the stack's bucket. */
export interface SeenObject {
  readonly name: string;
  readonly generation: string;
  readonly crc32c: string;
  readonly metadata: Readonly<Record<string, string>>;
}

type Labels = Readonly<Record<string, string>>;

/** The stack's things as they are in the cloud; undefined or empty where there is none. */
export interface SeenCloud {
  readonly bucket: { readonly labels: Labels } | undefined;
  readonly objects: readonly SeenObject[];
  readonly model: { readonly labels: Labels; readonly description: string } | undefined;
  readonly versions: readonly SeenVersion[];
  readonly endpoint: { readonly labels: Labels } | undefined;
  readonly deployed: readonly DeployedModelState[];
  readonly deploying: readonly DeployedModelState[];
  readonly split: Readonly<Record<string, number>>;
  /** Everything by name, also what is not the stack's. */
  readonly all: EmulatorState;
}

/** Looks at everything. */
export async function lookAround(url: string): Promise<SeenCloud> {
  const all = await emulatorState({ rest: url });
  const [bucket, model, endpoint] = await Promise.all([
    getOrNothing(url, `/storage/v1/b/${BUCKET}`),
    getOrNothing(url, `/v1/${MODEL}`),
    getOrNothing(url, `/v1/${ENDPOINT}`),
  ]);
  const objects =
    bucket === undefined ? undefined : await getOrNothing(url, `/storage/v1/b/${BUCKET}/o`);
  return {
    ...endpointOf(all),
    bucket: bucket && { labels: labelsOf(bucket) },
    objects: ((objects?.["items"] ?? []) as SeenObject[]).map((one) => ({
      name: one.name,
      generation: one.generation,
      crc32c: one.crc32c,
      metadata: one.metadata ?? {},
    })),
    model: model && { labels: labelsOf(model), description: String(model["description"] ?? "") },
    versions: versionsOf(all),
    endpoint: endpoint && { labels: labelsOf(endpoint) },
    all,
  };
}

/** Names of the objects that bear the stack's mark. */
export function archivesOf(cloud: SeenCloud, stackUid: string): string[] {
  return cloud.objects
    .filter(({ metadata }) => metadata[OBJECT_STACK_KEY] === stackUid)
    .map(({ name }) => name)
    .sort();
}

/** Objects in the stack's bucket that are not its own. */
export function foreignObjects({ objects }: SeenCloud, stackUid: string): SeenObject[] {
  return objects.filter(({ metadata }) => metadata[OBJECT_STACK_KEY] !== stackUid);
}

/** Deployed models on the stack's endpoint that are not its own. */
export function foreignDeployed({ deployed }: Pick<SeenCloud, "deployed">) {
  return deployed.filter(({ displayName }) => !displayName.startsWith(`${MODEL_ID}-`));
}

/** What the stack's endpoint serves. */
export function endpointOf(all: EmulatorState) {
  const found = all.endpoints.find(({ name }) => isSame(name, ENDPOINT));
  return {
    deployed: found?.deployedModels ?? [],
    deploying: found?.deployingModels ?? [],
    split: found?.trafficSplit ?? {},
  };
}

/** Versions of the stack's model, lowest number first. */
export function versionsOf(all: EmulatorState): SeenVersion[] {
  const versions = all.models.find(({ name }) => isSame(name, MODEL))?.versions ?? [];
  return versions
    .map(({ versionId, aliases, artifactUri }) => ({ id: versionId, aliases, artifactUri }))
    .sort((a, b) => Number(a.id) - Number(b.id));
}

/** Answers bear the project's number, requests its id. */
function isSame(a: string, b: string): boolean {
  return a.split("/").slice(2).join("/") === b.split("/").slice(2).join("/");
}

async function getOrNothing(
  url: string,
  path: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { status, body } = await rest(url, "GET", path);
  if (status === 404) return undefined;
  if (status !== 200) throw new Error(`GET ${path} answered ${JSON.stringify(body)}`);
  return body;
}

function labelsOf(body: Readonly<Record<string, unknown>>): Labels {
  return (body["labels"] ?? {}) as Labels;
}
