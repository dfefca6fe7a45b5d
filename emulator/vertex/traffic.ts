import { ApiError } from "../errors.ts";
import type { TrafficSplit } from "./types.ts";

/** In a DeployModel request: the model that is being deployed. */
export const NEW_MODEL_KEY = "0";

/** A split that was given: whole percents that total 100 over models that are there. Throws INVALID_ARGUMENT. */
export function checkSplit(split: TrafficSplit, ids: readonly string[]): void {
  for (const [id, percent] of Object.entries(split)) {
    if (percent < 0 || percent > 100) {
      throw new ApiError(
        "INVALID_ARGUMENT",
        `traffic_split of "${id}" must be between 0 and 100, got ${percent}.`,
      );
    }
    if (!ids.includes(id)) {
      throw new ApiError(
        "INVALID_ARGUMENT",
        `traffic_split names DeployedModel "${id}", which is not deployed on this Endpoint.`,
      );
    }
  }
  const total = Object.values(split).reduce((sum, percent) => sum + percent, 0);
  if (total !== 100) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `The traffic percentages in traffic_split must add up to 100, got ${total}.`,
    );
  }
}

export function isEmptySplit(split: TrafficSplit | undefined): boolean {
  return split === undefined || Object.keys(split).length === 0;
}

/** The given split with the real id in place of "0". */
export function withNewModel(split: TrafficSplit, id: string): TrafficSplit {
  return Object.fromEntries(
    Object.entries(split).map(([key, percent]) => [key === NEW_MODEL_KEY ? id : key, percent]),
  );
}

/** Chooses a deployed model by its share; `random` in [0, 1). undefined when none has traffic. */
export function chooseByTraffic(split: TrafficSplit, random: number): string | undefined {
  let left = random * 100;
  for (const [id, percent] of Object.entries(split)) {
    left -= percent;
    if (left < 0) return id;
  }
  return undefined;
}
