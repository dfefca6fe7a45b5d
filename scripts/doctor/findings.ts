import type { Inspection, StackNames } from "../../providers/inspect.ts";
import { nameOf, shortType } from "./stack-state.ts";
import type { StackState } from "./stack-state.ts";

/** Something that is not as it should be, and the one command that mends it. */
export interface Finding {
  readonly kind:
    | "pending-operation"
    | "unfinished-resource"
    | "running-operation"
    | "lone-claim"
    | "foreign-bucket"
    | "foreign-model"
    | "foreign-endpoint"
    | "foreign-deployed-model"
    | "foreign-object";
  /** What was found, in one or two sentences. */
  readonly what: string;
  /** A command line. */
  readonly mend: string;
}

/** Kind of a claim -> type of the resource that stands behind it, and its name in words. */
const CLAIMED: Readonly<Record<string, readonly [type: string, words: string]>> = {
  bucket: ["Bucket", "bucket"],
  archives: ["ArchiveUpload", "archive"],
  adoption: ["Adoption", "takeover"],
  model: ["VertexModel", "model version"],
  endpoint: ["AiEndpoint", "endpoint"],
  deployment: ["ModelDeployment", "deployment"],
};

/** Everything that the engine's state says. */
export function findInState(state: StackState, stack: string): Finding[] {
  const up = `npm run pulumi -- up --stack ${stack}`;
  const pending = state.pendingOperations.map(({ resource, type }): Finding => {
    const name = `"${nameOf(resource.urn)}" (${shortType(resource.type)})`;
    return {
      kind: "pending-operation",
      what: `The engine does not know how ${type} ${name} ended: that run was killed. The next "up" goes on all the same; the note stays in the state until it is cleared.`,
      mend:
        type === "creating"
          ? `npm run pulumi -- refresh --clear-pending-creates --yes --stack ${stack}`
          : `npm run pulumi -- refresh --yes --stack ${stack}`,
    };
  });
  const unfinished = state.resources.flatMap(({ urn, type, outputs }): Finding[] => {
    const operation = outputs?.["pending"] as { operation: string; kind: string } | null;
    if (!operation) return [];
    return [
      {
        kind: "unfinished-resource",
        what: `"${nameOf(urn)}" (${shortType(type)}) was left while its ${operation.kind} ran: operation "${operation.operation}". The next "up" waits for it.`,
        mend: up,
      },
    ];
  });
  const lone = state.resources.flatMap(({ urn, type, outputs }): Finding[] => {
    const [claimedType, words] = CLAIMED[String(outputs?.["kind"])] ?? [];
    if (shortType(type) !== "Claim" || claimedType === undefined) return [];
    if (state.resources.some((resource) => shortType(resource.type) === claimedType)) return [];
    return [
      {
        kind: "lone-claim",
        what: `"${nameOf(urn)}" (Claim) has no ${words} behind it: the run that was to make it did not come to its end. "up" makes it, "destroy" removes what was begun.`,
        mend: up,
      },
    ];
  });
  return [...pending, ...unfinished, ...lone];
}

/** Everything that the cloud says. `rest`: address of the local Vertex AI, for a stack that lives there. */
export function findInCloud(
  inspection: Inspection,
  names: StackNames,
  state: StackState,
  stack: string,
  rest: string | undefined,
): Finding[] {
  const command = removalCommands(names, rest);
  const known = new Set(
    state.resources.map(({ outputs }) => {
      const pending = outputs?.["pending"] as { operation?: string } | null | undefined;
      return pending?.operation;
    }),
  );
  const running = inspection.operations
    .filter(({ operation }) => !known.has(operation))
    .map(({ operation, kind, on }): Finding => ({
      kind: "running-operation",
      what: `${kind} runs on "${on}": operation "${operation}". The next "up" waits for it.`,
      mend: `npm run pulumi -- up --stack ${stack}`,
    }));
  const taken = (
    kind: Finding["kind"],
    what: string,
    owner: string | null,
    mend: string,
  ): Finding[] =>
    owner === null
      ? []
      : [{ kind, what: `${what}, a name that this stack uses, belongs to ${owner}.`, mend }];
  return [
    ...running,
    ...taken(
      "foreign-bucket",
      `Bucket "${names.bucket}"`,
      inspection.bucketOwner,
      `npm run pulumi -- config set bucketName ANOTHER-NAME --stack ${stack}`,
    ),
    ...taken("foreign-model", `Model "${names.modelName}"`, inspection.modelOwner, command.model()),
    ...taken(
      "foreign-endpoint",
      `Endpoint "${names.endpoint}"`,
      inspection.endpointOwner,
      command.endpoint(),
    ),
    ...inspection.foreignDeployedModels.map(({ id, displayName }): Finding => ({
      kind: "foreign-deployed-model",
      what: `Endpoint "${names.endpoint}" serves "${displayName}" (${id}), which this stack did not deploy. It is billed, and the endpoint can't be deleted while it is there.`,
      mend: command.deployedModel(id),
    })),
    ...inspection.foreignObjects.map((object): Finding => ({
      kind: "foreign-object",
      what: `"gs://${names.bucket}/${object}" stands among this stack's archives, and it did not put it there.`,
      mend: command.object(object),
    })),
  ];
}

/** Commands that delete somebody's thing: with gcloud, or with curl on the local Vertex AI. */
function removalCommands(names: StackNames, rest: string | undefined) {
  const [, project = "", , location = ""] = names.endpoint.split("/");
  const where = `--project ${project} --region ${location}`;
  const idOf = (name: string): string => name.slice(name.lastIndexOf("/") + 1);
  if (rest === undefined) {
    return {
      model: () => `gcloud ai models delete ${idOf(names.modelName)} ${where}`,
      endpoint: () => `gcloud ai endpoints delete ${idOf(names.endpoint)} ${where}`,
      deployedModel: (id: string) =>
        `gcloud ai endpoints undeploy-model ${idOf(names.endpoint)} --deployed-model-id ${id} ${where}`,
      object: (name: string) => `gcloud storage rm "gs://${names.bucket}/${name}"`,
    };
  }
  return {
    model: () => `curl -X DELETE ${rest}/v1/${names.modelName}`,
    endpoint: () => `curl -X DELETE ${rest}/v1/${names.endpoint}`,
    deployedModel: (id: string) =>
      `curl -d '{"deployedModelId": "${id}"}' ${rest}/v1/${names.endpoint}:undeployModel`,
    object: (name: string) =>
      `curl -X DELETE ${rest}/storage/v1/b/${names.bucket}/o/${encodeURIComponent(name)}`,
  };
}
