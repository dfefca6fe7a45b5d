import { dirname } from "node:path";

const KEPT = ["HOME", "LANG", "LC_ALL", "JAVA_HOME", "LD_LIBRARY_PATH", "OMP_NUM_THREADS"];

/** A container sees nothing of its host's environment but what a process needs to run at all. */
export function processEnvironment(python: string): Record<string, string> {
  const env = Object.fromEntries(
    KEPT.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  return { ...env, PATH: `${dirname(python)}:${process.env["PATH"] ?? ""}` };
}
