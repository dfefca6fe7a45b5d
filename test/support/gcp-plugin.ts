import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import type pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import structPb from "google-protobuf/google/protobuf/struct_pb.js";

export const GCP_PLUGIN = fileURLToPath(
  new URL("../../emulator/gcp-plugin/bin/pulumi-resource-gcp", import.meta.url),
);

export type Properties = Record<string, unknown>;

/** One resource as the engine speaks of it: every call names its type by the URN. */
export interface PluginResource {
  check(news: Properties): Promise<{ inputs: Properties; failures: Record<string, string> }>;
  diff(id: string, olds: Properties, news: Properties, ignoreChanges?: string[]): Promise<Diff>;
  create(inputs: Properties, preview?: boolean): Promise<{ id: string; outputs: Properties }>;
  read(
    id: string,
    state?: { outputs: Properties; inputs: Properties },
  ): Promise<{ id: string; outputs: Properties; inputs: Properties }>;
  update(id: string, olds: Properties, news: Properties): Promise<Properties>;
  delete(id: string, outputs: Properties): Promise<void>;
}

export interface Diff {
  readonly changes: boolean;
  readonly replaces: string[];
  readonly deleteBeforeReplace: boolean;
  /** Kind by property path: "UPDATE", "ADD_REPLACE", ... */
  readonly detailed: Record<string, string>;
}

/** The plugin as a process of its own, driven over gRPC as the engine does. */
export class GcpPlugin {
  readonly process: ChildProcess;
  readonly #client: InstanceType<typeof providerGrpc.ResourceProviderClient>;

  private constructor(process: ChildProcess, port: number) {
    this.process = process;
    this.#client = new providerGrpc.ResourceProviderClient(
      `127.0.0.1:${port}`,
      grpc.credentials.createInsecure(),
    );
  }

  /** Starts it with these variables and none of the caller's that would configure it. */
  static async start(environment: Record<string, string>): Promise<GcpPlugin> {
    const { PATH, HOME } = process.env;
    const child = spawn(GCP_PLUGIN, ["127.0.0.1:1"], {
      env: { PATH, HOME, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout });
    const [port] = (await once(lines, "line")) as [string];
    return new GcpPlugin(child, Number(port));
  }

  async stop(): Promise<void> {
    this.#client.close();
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGKILL");
    await once(this.process, "exit");
  }

  async version(): Promise<string> {
    const info = await ask<pluginPb.PluginInfo>((reply) =>
      this.#client.getPluginInfo(new emptyPb.Empty(), reply),
    );
    return info.getVersion();
  }

  /** Failures by property. */
  async checkConfig(config: Properties): Promise<Record<string, string>> {
    const request = new providerPb.CheckRequest();
    request.setNews(toStruct(config));
    return failuresOf(await ask((reply) => this.#client.checkConfig(request, reply)));
  }

  async configure(config: Properties = {}): Promise<void> {
    const request = new providerPb.ConfigureRequest();
    request.setArgs(toStruct(config));
    await ask((reply) => this.#client.configure(request, reply));
  }

  async invoke(token: string): Promise<void> {
    const request = new providerPb.InvokeRequest();
    request.setTok(token);
    await ask((reply) => this.#client.invoke(request, reply));
  }

  resource(type: string): PluginResource {
    const client = this.#client;
    const urn = `urn:pulumi:local::project::parent:index:Component$${type}::name`;
    return {
      async check(news) {
        const request = new providerPb.CheckRequest();
        request.setUrn(urn);
        request.setNews(toStruct(news));
        const response = await ask<providerPb.CheckResponse>((reply) =>
          client.check(request, reply),
        );
        return { inputs: fromStruct(response.getInputs()), failures: failuresOf(response) };
      },
      async diff(id, olds, news, ignoreChanges = []) {
        const request = new providerPb.DiffRequest();
        request.setUrn(urn);
        request.setId(id);
        request.setOlds(toStruct(olds));
        request.setNews(toStruct(news));
        request.setIgnorechangesList(ignoreChanges);
        const response = await ask<providerPb.DiffResponse>((reply) => client.diff(request, reply));
        return {
          changes: response.getChanges() === providerPb.DiffResponse.DiffChanges.DIFF_SOME,
          replaces: response.getReplacesList(),
          deleteBeforeReplace: response.getDeletebeforereplace(),
          detailed: Object.fromEntries(
            [...response.getDetaileddiffMap().entries()].map(([path, entry]) => [
              path,
              kindName(entry.getKind()),
            ]),
          ),
        };
      },
      async create(inputs, preview = false) {
        const request = new providerPb.CreateRequest();
        request.setUrn(urn);
        request.setProperties(toStruct(inputs));
        request.setPreview(preview);
        const response = await ask<providerPb.CreateResponse>((reply) =>
          client.create(request, reply),
        );
        return { id: response.getId(), outputs: fromStruct(response.getProperties()) };
      },
      async read(id, state) {
        const request = new providerPb.ReadRequest();
        request.setUrn(urn);
        request.setId(id);
        if (state) {
          request.setProperties(toStruct(state.outputs));
          request.setInputs(toStruct(state.inputs));
        }
        const response = await ask<providerPb.ReadResponse>((reply) => client.read(request, reply));
        return {
          id: response.getId(),
          outputs: fromStruct(response.getProperties()),
          inputs: fromStruct(response.getInputs()),
        };
      },
      async update(id, olds, news) {
        const request = new providerPb.UpdateRequest();
        request.setUrn(urn);
        request.setId(id);
        request.setOlds(toStruct(olds));
        request.setNews(toStruct(news));
        const response = await ask<providerPb.UpdateResponse>((reply) =>
          client.update(request, reply),
        );
        return fromStruct(response.getProperties());
      },
      async delete(id, outputs) {
        const request = new providerPb.DeleteRequest();
        request.setUrn(urn);
        request.setId(id);
        request.setProperties(toStruct(outputs));
        await ask<emptyPb.Empty>((reply) => client.delete(request, reply));
      },
    };
  }
}

type Reply<T> = (error: grpc.ServiceError | null, response: T) => void;

/** Rejects with the message that the engine would show. */
function ask<T>(call: (reply: Reply<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, response) => {
      if (error) reject(new Error(error.details));
      else resolve(response);
    });
  });
}

function failuresOf(response: providerPb.CheckResponse): Record<string, string> {
  const failures = response.getFailuresList();
  return Object.fromEntries(
    failures.map((failure) => [failure.getProperty(), failure.getReason()]),
  );
}

function kindName(kind: number): string {
  const kinds = Object.entries(providerPb.PropertyDiff.Kind);
  return kinds.find(([, value]) => (value as number) === kind)?.[0] ?? String(kind);
}

function toStruct(properties: Properties): structPb.Struct {
  return structPb.Struct.fromJavaScript(properties as Record<string, structPb.JavaScriptValue>);
}

function fromStruct(struct: structPb.Struct | undefined): Properties {
  return struct?.toJavaScript() ?? {};
}
