import fc from "fast-check";

import { Program } from "./program.ts";
import { ProgramSession } from "./program-session.ts";
import { steps, wordsOf } from "./program-steps.ts";
import type { Step } from "./program-steps.ts";

export interface ProgramOptions {
  /** Programs in a run, unless VERTEX_DIFFUSION_PROPERTY_RUNS says otherwise. */
  readonly runs: number;
  /** The programs of every run, unless VERTEX_DIFFUSION_PROPERTY_SEED names others. */
  readonly seed: number;
}

const MOST_STEPS = 6;

/**
 * Runs random programs. Throws with the shortest that fails in words, its seed and path, and what was seen in it. With
 * VERTEX_DIFFUSION_PROPERTY_SEED and VERTEX_DIFFUSION_PROPERTY_PATH it begins with that program.
 */
export async function checkPrograms(options: ProgramOptions): Promise<void> {
  const { env } = process;
  const seed = Number(env["VERTEX_DIFFUSION_PROPERTY_SEED"] ?? options.seed);
  const path = env["VERTEX_DIFFUSION_PROPERTY_PATH"];
  const numRuns = Number(env["VERTEX_DIFFUSION_PROPERTY_RUNS"] ?? options.runs);
  let session: ProgramSession | undefined;
  const property = fc.asyncProperty(
    // Otherwise many of few programs would be short.
    fc.noBias(fc.array(steps, { maxLength: MOST_STEPS, size: "max" })),
    fc.boolean(),
    async (program, upAtEnd) => {
      session ??= await ProgramSession.start();
      const running = session;
      try {
        await runProgram(running, program, upAtEnd);
      } catch (error) {
        // Nothing of a failed program may reach the next.
        session = undefined;
        await running.stop();
        throw new Error(`${(error as Error).message}\n${indent(running.trace)}`, { cause: error });
      }
    },
  );
  try {
    const details = await fc.check(property, {
      numRuns,
      seed,
      ...(path === undefined ? {} : { path }),
    });
    if (details.failed) throw new Error(describeFailure(details));
  } finally {
    await session?.stop();
  }
}

async function runProgram(
  session: ProgramSession,
  program: readonly Step[],
  upAtEnd: boolean,
): Promise<void> {
  const running = await Program.begin(session);
  for (const step of program) await running.take(step);
  await running.end(upAtEnd);
}

function describeFailure(details: fc.RunDetails<[Step[], boolean]>): string {
  const [program, upAtEnd] = details.counterexample ?? [[], false];
  const { seed, counterexamplePath: path, numRuns, numShrinks, errorInstance } = details;
  const words = program.map((step, index) => `${index + 1}. ${wordsOf(step)}`);
  const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return [
    `Program ${numRuns} fails (seed ${seed}, path "${path ?? ""}"), shrunk ${numShrinks} times. Run it again with`,
    `VERTEX_DIFFUSION_PROPERTY_SEED=${seed} VERTEX_DIFFUSION_PROPERTY_PATH=${path ?? ""}`,
    `The program, then ${upAtEnd ? "up and destroy" : "destroy"}:`,
    indent(words),
    why,
  ].join("\n");
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join("\n");
}
