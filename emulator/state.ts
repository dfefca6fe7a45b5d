import type { Storage } from "./storage/index.ts";
import type { Cloud } from "./vertex/cloud.ts";

/** Counts and names of everything the emulator holds: an empty one shows empty lists everywhere. */
export function describeState(cloud: Cloud, storage: Storage): EmulatorState {
  return {
    ...storage.summary(),
    models: cloud.models.list().map((model) => ({
      name: model.name,
      displayName: model.displayName,
      versions: model.versions.map(({ versionId, aliases }) => ({ versionId, aliases })),
    })),
    endpoints: cloud.endpoints.list().map((endpoint) => ({
      name: endpoint.name,
      displayName: endpoint.document.displayName ?? "",
      deployedModels: endpoint.deployed.map((one) => ({
        id: one.id,
        model: one.model,
        modelVersionId: one.versionId,
        displayName: one.document.displayName ?? "",
      })),
      deploying: endpoint.deploying.map((one) => one.id),
      trafficSplit: endpoint.trafficSplit,
    })),
    operations: cloud.operations.list().map((operation) => ({
      name: operation.name,
      method: operation.method,
      done: operation.done,
      error: operation.error?.message ?? "",
    })),
    servers: cloud.servers.list(),
  };
}

export interface EmulatorState extends ReturnType<Storage["summary"]> {
  readonly models: readonly {
    readonly name: string;
    readonly displayName: string;
    readonly versions: readonly {
      readonly versionId: string;
      readonly aliases: readonly string[];
    }[];
  }[];
  readonly endpoints: readonly {
    readonly name: string;
    readonly displayName: string;
    readonly deployedModels: readonly {
      readonly id: string;
      readonly model: string;
      readonly modelVersionId: string;
      readonly displayName: string;
    }[];
    readonly deploying: readonly string[];
    readonly trafficSplit: Readonly<Record<string, number>>;
  }[];
  readonly operations: readonly {
    readonly name: string;
    readonly method: string;
    readonly done: boolean;
    /** "" for an operation that runs or went well. */
    readonly error: string;
  }[];
  readonly servers: readonly {
    readonly id: string;
    readonly state: string;
    readonly pid: number | null;
  }[];
}
