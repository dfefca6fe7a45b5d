import { inspect } from "../../providers/inspect.ts";
import type { StackNames } from "../../providers/inspect.ts";
import { findInCloud, findInState } from "./findings.ts";
import type { Finding } from "./findings.ts";
import { namesIn, parseState } from "./stack-state.ts";

export interface Examination {
  readonly stack: string;
  /** In words. */
  readonly where: string;
  readonly resources: number;
  readonly findings: readonly Finding[];
}

export interface Patient {
  readonly stack: string;
  /** What `pulumi stack export` printed. */
  readonly exported: string;
  /** The names that the stack would take on its first up. */
  readonly wouldTake: StackNames;
  /** REST address of the local Vertex AI, for a stack that lives there. */
  readonly rest: string | undefined;
}

/** Looks at the engine's state and at the cloud; changes nothing. Throws ReconcileError when the cloud can't be asked. */
export async function examine(patient: Patient): Promise<Examination> {
  const { stack, rest } = patient;
  const state = parseState(patient.exported);
  const names = namesIn(state, patient.wouldTake);
  const inspection = await inspect(names);
  return {
    stack,
    where: rest === undefined ? `in project "${names.project}"` : "on the local Vertex AI",
    resources: state.resources.length,
    findings: [...findInState(state, stack), ...findInCloud(inspection, names, state, stack, rest)],
  };
}

/** The report for people: each finding with the command that mends it under it. */
export function formatExamination({ stack, where, resources, findings }: Examination): string {
  const title = `Stack "${stack}" ${where}`;
  if (findings.length === 0) {
    return `${title}: nothing to mend. ${resources} resources, no operation in flight, nothing foreign.\n`;
  }
  const count = findings.length === 1 ? "1 finding" : `${findings.length} findings`;
  const list = findings.map(({ what, mend }, index) => `${index + 1}. ${what}\n   ${mend}\n`);
  return `${title}: ${count}.\n\n${list.join("\n")}\nRun what stands under a finding only if you want its effect; then "npm run doctor" again.\n`;
}
