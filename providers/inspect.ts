import { ARCHIVES_PREFIX } from "./archive-names.ts";
import { endpointClient, modelClient, storageClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { observeEndpoint } from "./deployed.ts";
import { codeOf, explain, isNotFound, nullIfNotFound } from "./errors.ts";
import { locationOf } from "./names.ts";
import { runningUnder } from "./operations.ts";
import { OBJECT_STACK_KEY, isOurs, ownerOf } from "./ownership.ts";
import { ENDPOINT_OPERATIONS } from "./undeploy.ts";

/** The names that a stack uses in the cloud. */
export interface StackNames {
  readonly emulator: boolean;
  /** Empty before the first up: then nothing bears the stack's mark. */
  readonly stackUid: string;
  readonly project: string;
  readonly bucket: string;
  /** projects/P/locations/L/models/M. */
  readonly modelName: string;
  /** projects/P/locations/L/endpoints/E. */
  readonly endpoint: string;
}

/** An operation that runs on a stack's model or endpoint. */
export interface RunningOperation {
  readonly operation: string;
  /** "deployModel", "uploadModel", ... */
  readonly kind: string;
  /** The model or endpoint. */
  readonly on: string;
}

/** What stands under a stack's names and is not its own, and what still runs there. */
export interface Inspection {
  /** Owner, in words, of what has the name; null when it is the stack's own or nothing has it. */
  readonly bucketOwner: string | null;
  readonly modelOwner: string | null;
  readonly endpointOwner: string | null;
  /** Objects under the stack's archives that it did not put there, by name; at most MAX_OBJECTS. */
  readonly foreignObjects: readonly string[];
  /** On the stack's own endpoint. */
  readonly foreignDeployedModels: readonly { readonly id: string; readonly displayName: string }[];
  readonly operations: readonly RunningOperation[];
}

/** So many objects say enough. */
const MAX_OBJECTS = 5;

const ALL_ENDPOINT_OPERATIONS = [...ENDPOINT_OPERATIONS, "createEndpoint", "deleteEndpoint"];

/** Looks, and changes nothing. Throws ReconcileError when the cloud can't be asked. */
export async function inspect(names: StackNames): Promise<Inspection> {
  try {
    const [bucket, model, endpoint] = await Promise.all([
      inspectBucket(names),
      inspectModel(names),
      inspectEndpoint(names),
    ]);
    return {
      ...bucket,
      modelOwner: model.modelOwner,
      endpointOwner: endpoint.endpointOwner,
      foreignDeployedModels: endpoint.foreignDeployedModels,
      operations: [...model.operations, ...endpoint.operations],
    };
  } catch (error) {
    throw explain("look at what the stack has in the cloud", error);
  }
}

async function inspectBucket(names: StackNames) {
  const storage = await storageClient(requireConnection(names.emulator), names.project);
  const bucket = storage.bucket(names.bucket);
  try {
    const [{ labels }] = await bucket.getMetadata();
    const marks = labels as Readonly<Record<string, string>> | undefined;
    if (!isOurs(marks, names.stackUid)) {
      return { bucketOwner: ownerOf(marks), foreignObjects: [] };
    }
    const [files] = await bucket.getFiles({ prefix: ARCHIVES_PREFIX });
    const foreign = files.filter(
      (file) => file.metadata.metadata?.[OBJECT_STACK_KEY] !== names.stackUid,
    );
    return {
      bucketOwner: null,
      foreignObjects: foreign.slice(0, MAX_OBJECTS).map((file) => file.name),
    };
  } catch (error) {
    // Bucket names are global: one that may not be read is another project's.
    if (codeOf(error) === 403) return { bucketOwner: "somebody else", foreignObjects: [] };
    if (isNotFound(error)) return { bucketOwner: null, foreignObjects: [] };
    throw error;
  }
}

async function inspectModel({ emulator, stackUid, modelName }: StackNames) {
  const client = await modelClient(requireConnection(emulator), locationOf(modelName));
  const found = await client.getModel({ name: modelName }).catch(nullIfNotFound);
  const running = await runningUnder(client, modelName, ["uploadModel", "deleteModel"]);
  const isForeign = found !== null && !isOurs(found[0].labels, stackUid);
  return {
    modelOwner: isForeign ? ownerOf(found[0].labels) : null,
    operations: running.map(({ operation, kind }) => ({ operation, kind, on: modelName })),
  };
}

async function inspectEndpoint({ emulator, stackUid, endpoint }: StackNames) {
  const client = await endpointClient(requireConnection(emulator), locationOf(endpoint));
  const found = await observeEndpoint(client, endpoint, stackUid);
  const running = await runningUnder(client, endpoint, ALL_ENDPOINT_OPERATIONS);
  const isForeign = found !== null && !isOurs(found.labels, stackUid);
  return {
    endpointOwner: isForeign ? ownerOf(found.labels) : null,
    foreignDeployedModels: isForeign
      ? []
      : (found?.foreign ?? []).map(({ id, displayName }) => ({ id, displayName })),
    operations: running.map(({ operation, kind }) => ({ operation, kind, on: endpoint })),
  };
}
