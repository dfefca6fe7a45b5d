import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_ROOT } from "../toolchain/project.ts";

/** Where the crash level writes one row a kill. */
export const CRASH_REPORT = join(PROJECT_ROOT, ".local/crash-matrix.md");

const HEAD = `# What a kill leaves, and what the next plain command makes of it

"Before" is the local cloud when nothing of the killed run was left; "calls" are the changing calls of the next \`up\` (after
create and rollout) or \`destroy\`; "after" is the local cloud then.

| kill | before | calls | after | verdict |
|---|---|---|---|---|
`;

/** Begins the report anew. Returns the environment that makes the tests add to it. */
export async function beginCrashReport(): Promise<NodeJS.ProcessEnv> {
  await mkdir(join(PROJECT_ROOT, ".local"), { recursive: true });
  await writeFile(CRASH_REPORT, HEAD);
  return { VERTEX_DIFFUSION_CRASH_REPORT: CRASH_REPORT };
}
