import type { EmulatorState } from "../../emulator/state.ts";
import { BUCKET } from "./property-call.ts";
import { lastSegment } from "./property-model-calls.ts";
import type { PropertySession } from "./property-session.ts";

export interface ModelDocument {
  readonly name: string;
  readonly displayName: string;
  readonly versionId: string;
  readonly versionAliases?: readonly string[];
  readonly versionDescription?: string;
  readonly versionCreateTime: string;
  readonly createTime: string;
  readonly etag: string;
  readonly deployedModels?: readonly {
    readonly endpoint: string;
    readonly deployedModelId: string;
  }[];
}

export interface DeployedModelDocument {
  readonly id: string;
  readonly model: string;
  readonly modelVersionId: string;
  readonly dedicatedResources: { readonly maxReplicaCount: number };
}

export interface EndpointDocument {
  readonly name: string;
  readonly displayName: string;
  readonly etag: string;
  readonly trafficSplit?: Readonly<Record<string, number>>;
  readonly deployedModels?: readonly DeployedModelDocument[];
}

export interface OperationDocument {
  readonly name: string;
  readonly done?: boolean;
  readonly error?: { readonly code: number; readonly message: string };
  readonly response?: Readonly<Record<string, unknown>>;
}

/** Everything that GET and List calls answer. */
export interface Observation {
  /** Path -> answer, host taken out. */
  readonly documents: ReadonlyMap<string, unknown>;
  /** Default versions, as ListModels and GetModel give them. */
  readonly models: readonly ModelDocument[];
  /** By model id. */
  readonly versions: ReadonlyMap<string, readonly ModelDocument[]>;
  readonly endpoints: readonly EndpointDocument[];
  readonly operations: readonly OperationDocument[];
  readonly objects: Readonly<Record<string, string>>;
  readonly state: EmulatorState;
}

/** Reads all of it. Throws when a list names what a GET does not find, or shows differently. */
export async function observe(session: PropertySession): Promise<Observation> {
  const documents = new Map<string, unknown>();
  const get = async <T>(path: string): Promise<T> => {
    const answer = await session.read("GET", path);
    if (answer.status !== "OK") throw new Error(`GET ${path} answered ${answer.status}.`);
    const text = JSON.stringify(answer.body).replaceAll(session.url, "");
    const document: unknown = JSON.parse(text);
    documents.set(path, document);
    return document as T;
  };
  const [listedModels, listedEndpoints, listedOperations] = await Promise.all([
    get<{ models?: ModelDocument[] }>("models"),
    get<{ endpoints?: EndpointDocument[] }>("endpoints"),
    get<{ operations?: OperationDocument[] }>("operations?pageSize=10000"),
  ]);
  const models = listedModels.models ?? [];
  const endpoints = listedEndpoints.endpoints ?? [];
  const versions = new Map<string, readonly ModelDocument[]>();
  await Promise.all([
    ...models.map(async (model) => {
      const id = lastSegment(model.name);
      const listed = await get<{ models?: ModelDocument[] }>(`models/${id}:listVersions`);
      versions.set(id, listed.models ?? []);
      expectSame(`models/${id}`, await get(`models/${id}`), model);
      await Promise.all(
        (listed.models ?? []).map(async (version) => {
          const path = `models/${id}@${version.versionId}`;
          expectSame(path, await get(path), version);
        }),
      );
    }),
    ...endpoints.map(async (endpoint) => {
      const path = `endpoints/${lastSegment(endpoint.name)}`;
      expectSame(path, await get(path), endpoint);
    }),
  ]);
  return {
    documents,
    models,
    versions,
    endpoints,
    operations: listedOperations.operations ?? [],
    objects: await readObjects(session, get),
    state: await session.state(),
  };
}

async function readObjects(
  session: PropertySession,
  get: <T>(path: string) => Promise<T>,
): Promise<Record<string, string>> {
  const { items = [] } = await get<{ items?: { name: string }[] }>(`/storage/v1/b/${BUCKET}/o`);
  await get(`/storage/v1/b/${BUCKET}`);
  const contents = items.map(async ({ name }) => {
    const path = `/storage/v1/b/${BUCKET}/o/${encodeURIComponent(name)}?alt=media`;
    return [name, await (await fetch(`${session.url}${path}`)).text()] as const;
  });
  return Object.fromEntries(await Promise.all(contents));
}

function expectSame(path: string, gotten: unknown, listed: unknown): void {
  if (JSON.stringify(gotten) === JSON.stringify(listed)) return;
  throw new Error(
    `"${path}" is ${JSON.stringify(gotten)} by GET and ${JSON.stringify(listed)} in its list.`,
  );
}
