import type { ReferenceCloud } from "./property-reference.ts";
import { refusalsOf } from "./property-call.ts";
import { expectStatus, takeFault } from "./property-perform.ts";
import { lastSegment } from "./property-model-calls.ts";
import type { Answer, PropertySession } from "./property-session.ts";

const INSTANCES = [{ prompt: "a boat" }, { prompt: "a bird" }];

/** Asks the endpoint: a model with a share answers, and says which it is; a refusal names none. */
export async function expectPrediction(
  cloud: ReferenceCloud,
  session: PropertySession,
  endpoint: string,
  instances: readonly unknown[] = INSTANCES,
): Promise<void> {
  const record = cloud.endpoints[endpoint];
  const shares = Object.entries(record?.split ?? {}).filter(([, percent]) => percent > 0);
  const refusals = refusalsOf(
    [record === undefined, "NOT_FOUND"],
    [instances.length === 0, "INVALID_ARGUMENT"],
    [record !== undefined && shares.length === 0, "FAILED_PRECONDITION"],
  );
  const before = takeFault(cloud, "Predict", ["before"]);
  const answer = await session.send("POST", `endpoints/${endpoint}:predict`, { instances });
  if (before !== undefined) {
    return expectRefusal(answer, [before.status ?? "RESET"]);
  }
  if (refusals.length > 0) return expectRefusal(answer, refusals);
  const after = takeFault(cloud, "Predict", ["after"]);
  if (after !== undefined) return expectRefusal(answer, [after.status ?? "RESET"]);
  expectStatus({ method: "Predict" }, answer, ["OK"]);
  const { deployedModelId, model, modelVersionId, predictions } = answer.body;
  const deployed = record?.deployed.find(({ id }) => id === deployedModelId);
  const isAnswer =
    shares.some(([id]) => id === deployedModelId) &&
    deployed?.model === lastSegment(String(model)) &&
    deployed.versionId === modelVersionId &&
    JSON.stringify(predictions) === JSON.stringify(instances);
  if (!isAnswer) throw new Error(`Predict answered ${JSON.stringify(answer.body)}.`);
}

/** Kills the server that is asked: the caller is told to try again, and no model is named. */
export async function expectKilledPrediction(
  cloud: ReferenceCloud,
  session: PropertySession,
  endpoint: string,
): Promise<void> {
  const hasTraffic = Object.values(cloud.endpoints[endpoint]?.split ?? {}).some((one) => one > 0);
  if (!hasTraffic || cloud.faults.some(({ method }) => method === "Predict")) return;
  await session.control("POST", "faults", { method: "Predict", kill: true });
  const answer = await session.send("POST", `endpoints/${endpoint}:predict`, {
    instances: INSTANCES,
  });
  expectRefusal(answer, ["UNAVAILABLE"]);
}

function expectRefusal(answer: Answer, allowed: readonly Answer["status"][]): void {
  expectStatus({ method: "Predict" }, answer, allowed);
  if (/deployedModel|\/models\//.test(JSON.stringify(answer.body))) {
    throw new Error(`A refused prediction names a model: ${JSON.stringify(answer.body)}.`);
  }
}
