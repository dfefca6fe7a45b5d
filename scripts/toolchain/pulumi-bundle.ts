import { stat } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { runCommand } from "./command.ts";

/** A Pulumi CLI with the Node.js language host beside it. */
export interface PulumiCli {
  /** The folder that holds `bin`: what `PulumiCommand.get({ root })` of the Automation API takes. */
  readonly root: string;
  /** The folder of the programs, for PATH. */
  readonly bin: string;
}

/** Programs that make a whole CLI for Node.js projects. */
export const PULUMI_PROGRAMS = [
  "pulumi",
  "pulumi-language-nodejs",
  "pulumi-resource-pulumi-nodejs",
] as const;

/** Whether a folder holds every program of the CLI. */
export async function isWholeCli(bin: string): Promise<boolean> {
  return hasPrograms(bin, PULUMI_PROGRAMS);
}

/** Whether a folder holds all of some programs, each a file that can be executed. */
export async function hasPrograms(bin: string, programs: readonly string[]): Promise<boolean> {
  const found = await Promise.all(
    programs.map(async (program) => {
      const entry = await stat(join(bin, program)).catch(() => undefined);
      return entry !== undefined && entry.isFile() && (entry.mode & 0o111) !== 0 && entry.size > 0;
    }),
  );
  return found.every(Boolean);
}

/** What `pulumi version` answers, or undefined when it can't be run. Writes nothing to the user's home. */
export async function readVersion(program: string): Promise<string | undefined> {
  const env = {
    ...process.env,
    PULUMI_HOME: join(cacheFolder(), "pulumi-home"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  try {
    const { code, stdout } = await runCommand(program, ["version"], { env, timeoutMs: 20_000 });
    return code === 0 ? stdout.trim() : undefined;
  } catch {
    return undefined;
  }
}
