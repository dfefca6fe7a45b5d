import type { StatusName } from "../../emulator/errors.ts";
import type { ExpectedOperation } from "./property-reference.ts";

export const PARENT = "projects/local-project/locations/us-central1";
export const BUCKET = "property-bucket";

/** A call of the API, and what must come of it. */
export interface ExpectedCall {
  /** As faults name it, "DeployModel". */
  readonly method: string;
  readonly verb: string;
  /** Beside PARENT, or from "/" on. */
  readonly path: string;
  readonly body?: unknown;
  /** Everything that speaks against it: refused with one of these; accepted when there is none. Which comes first is open. */
  readonly refusals: readonly StatusName[];
  /** "models/alpha": what it works on; undefined while the emulator chooses the id. */
  readonly target: string | undefined;
  /** What it changes at once. */
  readonly apply?: () => void;
  /** The operation that it starts. */
  readonly operation?: Pick<
    ExpectedOperation,
    "deploying" | "stagesLeft" | "stagesWithServer" | "end"
  > & {
    /** Deployment stages by name, in their order; each takes one step of the clock. */
    readonly stages?: readonly string[];
  };
}

/** The statuses of the conditions that hold. */
export function refusalsOf(
  ...conditions: readonly (readonly [holds: boolean, status: StatusName])[]
): StatusName[] {
  return conditions.filter(([holds]) => holds).map(([, status]) => status);
}

const OWN_IDS: Readonly<Record<"models" | "endpoints", readonly string[]>> = {
  models: ["alpha", "beta"],
  endpoints: ["100", "200"],
};

/** 0 and 1 are ids that callers choose; 2 is the last one that the emulator chose, or one that is nowhere. */
export function pickId(
  kind: "models" | "endpoints",
  index: number,
  present: Readonly<Record<string, unknown>>,
): string {
  const own = OWN_IDS[kind];
  const chosen = own[index];
  if (chosen !== undefined) return chosen;
  return (
    Object.keys(present)
      .filter((id) => !own.includes(id))
      .at(-1) ?? "4040404"
  );
}
