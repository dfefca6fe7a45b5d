import type { StackNames } from "../../providers/inspect.ts";

/** A resource as the engine has it. */
interface Recorded {
  readonly urn: string;
  readonly type: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** What `pulumi stack export` says, as far as the doctor looks at it. */
export interface StackState {
  readonly resources: readonly Recorded[];
  /** Steps whose end the engine never saw, oldest first. */
  readonly pendingOperations: readonly { readonly resource: Recorded; readonly type: string }[];
}

/** Reads the answer of `pulumi stack export`; an empty stack has neither resources nor operations. */
export function parseState(exported: string): StackState {
  const { deployment } = JSON.parse(exported) as {
    deployment?: {
      resources?: Recorded[];
      pending_operations?: { resource: Recorded; type: string }[];
    };
  };
  return {
    resources: deployment?.resources ?? [],
    pendingOperations: deployment?.pending_operations ?? [],
  };
}

/** The last part of a type: "ModelDeployment". */
export function shortType(type: string): string {
  return type.slice(type.lastIndexOf(":") + 1);
}

/** The name that the program gave the resource. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** The names that the stack uses: those of its claims, else those that it would take. */
export function namesIn(state: StackState, wouldTake: StackNames): StackNames {
  const text = (value: unknown): string | undefined =>
    typeof value === "string" && value !== "" ? value : undefined;
  const find = (type: string, output: string): string | undefined =>
    state.resources
      .filter((resource) => shortType(resource.type) === type)
      // What is only to be adopted bears no mark yet and is in nobody's way.
      .filter(({ outputs }) => outputs?.["kind"] !== "adoption")
      .map(({ outputs }) => text(outputs?.[output]))
      .find((value) => value !== undefined);
  return {
    emulator: wouldTake.emulator,
    stackUid: find("StackIdentity", "uid") ?? "",
    project: find("Claim", "project") ?? wouldTake.project,
    bucket: find("Claim", "bucket") ?? wouldTake.bucket,
    modelName: find("Claim", "modelName") ?? wouldTake.modelName,
    endpoint: find("Claim", "endpoint") ?? wouldTake.endpoint,
  };
}
