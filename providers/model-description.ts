import type { protos } from "@google-cloud/aiplatform";

import { compare } from "./changes.ts";
import { modelClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import type { VertexModelInputs } from "./model.ts";
import { withMarks, withoutMarks } from "./ownership.ts";

type IModel = protos.google.cloud.aiplatform.v1.IModel;
type Names = Pick<VertexModelInputs, "displayName" | "description">;
type Described = Names & Pick<VertexModelInputs, "labels" | "adopted">;

/** Display name and description that the model is to have: those declared, or its own when it was adopted. */
export function namesOf(inputs: Described, found: IModel): Names {
  return inputs.adopted ? ownNames(found) : inputs;
}

function ownNames(found: IModel): Names {
  return { displayName: found.displayName ?? "", description: found.description ?? "" };
}

/**
 * What a read reports of it. Google merges a version's own labels into the model's. An adopted model's labels that nobody
 * declared are nobody's drift.
 */
export function observedDescription(found: IModel, recorded: Described) {
  const all = withoutMarks(found.labels);
  const declared = Object.entries(all).filter(([key]) => key in recorded.labels);
  return { ...ownNames(found), labels: recorded.adopted ? Object.fromEntries(declared) : all };
}

/**
 * Display name, description and labels belong to the model and change in place. A version's own labels would hide the
 * model's: what is left of them is taken away, unless the model was adopted with them. Answers the names that it has now.
 */
export async function ensureDescription(
  inputs: VertexModelInputs,
  recorded: Described | null,
  versionId: string,
): Promise<Names> {
  const name = inputs.modelName;
  const versionName = `${name}@${versionId}`;
  const client = await modelClient(requireConnection(inputs.emulator), inputs.location);
  const [found] = await client.getModel({ name: versionName });
  const { displayName, description } = namesOf(inputs, found);
  const labels = labelsOf(inputs, found, recorded);
  const isAsWanted = (model: IModel) => {
    const observed = { ...ownNames(model), labels: withoutMarks(model.labels) };
    return !compare(ROWS, observed, { displayName, description, labels }).changes;
  };
  if (isAsWanted(found)) return { displayName, description };
  await client.updateModel({
    model: { name, displayName, description, labels: withMarks(labels, inputs.stackUid) },
    updateMask: { paths: ["display_name", "description", "labels"] },
  });
  if (inputs.adopted) return { displayName, description };
  const [changed] = await client.getModel({ name: versionName });
  if (!isAsWanted(changed)) {
    await client.updateModel({
      model: { name: versionName, labels: {} },
      updateMask: { paths: ["labels"] },
    });
  }
  return { displayName, description };
}

const ROWS = { displayName: "update", description: "update", labels: "update" } as const;

/** The declared labels; on an adopted model beside those that were never declared. */
function labelsOf(inputs: Described, found: IModel, recorded: Described | null) {
  if (!inputs.adopted) return inputs.labels;
  const others = Object.entries(withoutMarks(found.labels)).filter(
    ([key]) => !(key in (recorded?.labels ?? {})),
  );
  return { ...Object.fromEntries(others), ...inputs.labels };
}
