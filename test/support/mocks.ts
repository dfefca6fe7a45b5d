import * as pulumi from "@pulumi/pulumi";

import { STACK_UID } from "./provider-inputs.ts";

/** A resource as a program declared it. */
export interface Declared {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Of an existing resource to be taken in; empty for a new one. */
  readonly importId: string;
}

/** What the engine would be told, in the order of the registrations. */
export interface RecordedProgram {
  readonly resources: readonly Declared[];
  /** URNs of everything that was registered; a child's URN carries the types of its parents. */
  urns(): string[];
  /** The inputs of one resource, without the text of a dynamic provider. Throws when there is none. */
  inputsOf(name: string, type: string): Record<string, unknown>;
  /** Text that Pulumi keeps in the state for a dynamic resource's provider. */
  providerText(type: string): string;
}

/** Module of the dynamic resources' types: "DYNAMIC:Claim". */
export const DYNAMIC = "pulumi-nodejs:dynamic/vertex-diffusion";

/** Resources in the engine's state, by URN. */
type RecordedState = Readonly<Record<string, { readonly outputs: object }>>;

/** Replaces the engine by one that records. Without `state` it holds none yet; calls of provider functions are refused. */
export async function recordProgram(
  stack: string,
  config: Readonly<Record<string, string>>,
  options: { readonly preview?: boolean; readonly state?: RecordedState } = {},
): Promise<RecordedProgram> {
  const resources: Declared[] = [];
  const monitor: pulumi.runtime.Mocks = {
    newResource: ({ type, name, inputs, id }) => {
      resources.push({ type, name, inputs: inputs as Record<string, unknown>, importId: id ?? "" });
      return answerOf(type, name, inputs as Record<string, unknown>);
    },
    call: ({ token }) => {
      if (token === "pulumi:pulumi:readStackResourceOutputs") {
        return { outputs: options.state ?? {} };
      }
      throw new Error(`the program called "${token}"`);
    },
  };
  await pulumi.runtime.setMocks(
    monitor,
    "vertex-diffusion",
    stack,
    options.preview ?? true,
    "my-org",
  );
  pulumi.runtime.setAllConfig({ ...config });
  const find = (type: string, name?: string): Declared => {
    const found = resources.find(
      (one) => one.type === type && (name === undefined || one.name === name),
    );
    if (found === undefined) throw new Error(`no "${type}" named "${name}" was declared`);
    return found;
  };
  return {
    resources,
    urns: () => [...registered().keys()],
    inputsOf: (name, type) => {
      const { __provider: _text, ...inputs } = find(type, name).inputs;
      return inputs;
    },
    providerText: (type) => String(find(`${DYNAMIC}:${type}`).inputs["__provider"]),
  };
}

/** Everything that the mocked monitor was told of, by URN. */
function registered(): Map<string, unknown> {
  const monitor: unknown = pulumi.runtime.getMonitor();
  return (monitor as { getRegisteredResources(): Map<string, unknown> }).getRegisteredResources();
}

/** What Google or the reconcilers answer. */
function answerOf(type: string, name: string, inputs: Record<string, unknown>) {
  switch (type) {
    case `${DYNAMIC}:StackIdentity`:
      return { id: STACK_UID, state: { uid: STACK_UID } };
    case `${DYNAMIC}:ArchiveUpload`:
      return { id: "gs://bucket/archives", state: { ...inputs, sizeBytes: 4096 } };
    case `${DYNAMIC}:VertexModel`:
      return { id: "model", state: { ...inputs, versionId: "4" } };
    case `${DYNAMIC}:ModelDeployment`:
      return {
        id: "endpoint",
        state: { ...inputs, deployedModelId: "1234567890", versionId: "3" },
      };
    case "gcp:vertex/aiEndpoint:AiEndpoint":
      return {
        id: `projects/my-project/locations/${inputs["location"]}/endpoints/${inputs["name"]}`,
        state: {
          ...inputs,
          ...(inputs["dedicatedEndpointEnabled"] === true
            ? { dedicatedEndpointDns: `${inputs["name"]}.prediction.vertexai.goog` }
            : {}),
        },
      };
    default:
      return { id: name, state: inputs };
  }
}

/** Loading @pulumi/pulumi and @pulumi/gcp takes seconds, on a busy machine many. Milliseconds. */
export const LOAD_TIMEOUT_MS = 60_000;

/** The value of an output once everything it waits for is registered. */
export function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply(resolve);
  });
}
