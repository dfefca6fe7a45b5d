import { access } from "node:fs/promises";
import { join } from "node:path";
import { requireCommand } from "../toolchain/command.ts";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import type { Report } from "../toolchain/report.ts";
import { TINY_WEIGHTS } from "./stack-files.ts";

/** Makes the tiny pipeline of the real classes that local stacks serve, when it is not there yet (about 15 s). */
export async function ensureTinyPipeline(python: string, report: Report): Promise<void> {
  const folder = join(PROJECT_ROOT, TINY_WEIGHTS);
  const isThere = await access(join(folder, "model_index.json")).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const step = report.step("Making a tiny Stable Diffusion pipeline");
  try {
    await requireCommand(
      python,
      [join(PROJECT_ROOT, "scripts/make-tiny-pipeline.py"), "--out", folder],
      { cwd: PROJECT_ROOT },
    );
  } catch (error) {
    step.fail("not made");
    throw error;
  }
  step.done(TINY_WEIGHTS);
}
