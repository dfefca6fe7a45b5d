import { connectionProblem, readConnection } from "./connection.ts";
import "./engine.ts";
import { ReconcileError } from "./errors.ts";

/** check of every dynamic resource: refuses in preview what would reach the wrong cloud, or none. */
export async function check<Inputs extends { readonly emulator: boolean }>(
  _recorded: Inputs,
  wanted: Inputs,
) {
  return { inputs: wanted, failures: findFailures(wanted.emulator) };
}

function findFailures(emulator: boolean): { property: string; reason: string }[] {
  try {
    const problem = connectionProblem(emulator, readConnection());
    return problem === undefined ? [] : [{ property: "emulator", reason: problem }];
  } catch (error) {
    if (!(error instanceof ReconcileError)) throw error;
    return [{ property: "emulator", reason: error.message }];
  }
}
