import type { StatusName } from "../../emulator/errors.ts";

/*
 * The local Vertex AI as it should be, in as few words as will do: what is there, what runs, which faults are declared. Keys
 * and ids are last segments of resource names.
 */

export interface ExpectedVersion {
  readonly id: string;
  aliases: string[];
  description: string;
  /** Whether a process can stand in for its image, and its archive is there. */
  readonly isRunnable: boolean;
}

export interface ExpectedModel {
  displayName: string;
  lastVersion: number;
  versions: ExpectedVersion[];
}

export interface ExpectedDeployed {
  readonly id: string;
  readonly model: string;
  readonly versionId: string;
  maxReplicas: number;
}

export interface ExpectedEndpoint {
  displayName: string;
  deployed: ExpectedDeployed[];
  split: Record<string, number>;
}

/** What outlives the emulator's process. */
export interface ExpectedRecords {
  models: Record<string, ExpectedModel>;
  endpoints: Record<string, ExpectedEndpoint>;
  /** Objects of the bucket: name -> content. */
  objects: Record<string, string>;
}

/** An operation that has not ended. */
export interface ExpectedOperation {
  readonly name: string;
  readonly method: string;
  /** "models/alpha", "endpoints/100" */
  readonly target: string;
  /** The model that a DeployModel is bringing; its id is unknown while the emulator chooses it. */
  readonly deploying?: Omit<ExpectedDeployed, "id"> & { readonly id: string | undefined };
  /** Stages whose time must still pass. */
  stagesLeft: number;
  /** Stages left when its server runs; undefined for those without one. */
  readonly stagesWithServer?: number;
  /** The fault that keeps it from starting. */
  heldBy: string | undefined;
  /** Does its work, or answers the status that it fails with. */
  readonly end: (response: Readonly<Record<string, unknown>>) => StatusName | undefined;
}

export type FaultKind = "before" | "after" | "hold" | "stage";

/** A declared fault for one call. */
export interface ExpectedFault {
  readonly id: string;
  readonly method: string;
  readonly kind: FaultKind;
  /** undefined = the connection is reset, or the stage fails with INTERNAL. */
  readonly status: StatusName | undefined;
  readonly stage?: string;
}

export interface ReferenceCloud extends ExpectedRecords {
  operations: ExpectedOperation[];
  /** Names of operations that have ended, with the status they ended in. */
  ended: Map<string, StatusName | "OK">;
  faults: ExpectedFault[];
}

/** GPUs that all deployed models together may have. */
export const GPU_LIMIT = 4;

export function emptyReference(): ReferenceCloud {
  return {
    models: {},
    endpoints: {},
    objects: {},
    operations: [],
    ended: new Map(),
    faults: [],
  };
}

/** A copy of what outlives the process, to go back to. */
export function copyRecords({ models, endpoints, objects }: ExpectedRecords): ExpectedRecords {
  // Not structuredClone: what it makes is of another realm than Jest's, and equals nothing of this one.
  return JSON.parse(JSON.stringify({ models, endpoints, objects })) as ExpectedRecords;
}

export function isBusy(cloud: ReferenceCloud, target: string): boolean {
  return cloud.operations.some((operation) => operation.target === target);
}

/** The version that an id, an alias or nothing names. */
export function findVersion(
  model: ExpectedModel | undefined,
  version: string | undefined,
): ExpectedVersion | undefined {
  const wanted = version === undefined || version === "-" ? "default" : version;
  return model?.versions.find((one) => one.id === wanted || one.aliases.includes(wanted));
}

/** Whether a model, or one version of it, is deployed or on its way. */
export function isDeployed(cloud: ReferenceCloud, model: string, versionId?: string): boolean {
  return [...deployedOf(cloud), ...deployingOf(cloud)].some(
    (one) => one.model === model && (versionId === undefined || one.versionId === versionId),
  );
}

export function deployingOf(
  cloud: ReferenceCloud,
  endpoint?: string,
): NonNullable<ExpectedOperation["deploying"]>[] {
  return cloud.operations
    .filter(({ target }) => endpoint === undefined || target === `endpoints/${endpoint}`)
    .flatMap(({ deploying }) => (deploying === undefined ? [] : [deploying]));
}

/** GPUs in use, without one deployed model of one endpoint. */
export function gpusInUse(
  cloud: ReferenceCloud,
  without?: { readonly endpoint: string; readonly id: string },
): number {
  const deployed = Object.entries(cloud.endpoints).flatMap(([endpoint, record]) =>
    record.deployed.filter((one) => endpoint !== without?.endpoint || one.id !== without.id),
  );
  return [...deployed, ...deployingOf(cloud)].reduce((sum, one) => sum + one.maxReplicas, 0);
}

export function addUp(split: Readonly<Record<string, number>>): number {
  return Object.values(split).reduce((sum, percent) => sum + percent, 0);
}

function deployedOf(cloud: ReferenceCloud): ExpectedDeployed[] {
  return Object.values(cloud.endpoints).flatMap((endpoint) => endpoint.deployed);
}
