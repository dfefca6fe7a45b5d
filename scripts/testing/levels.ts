import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import { NOTHING_COUNTED, countJest, countPytest } from "./counts.ts";
import type { Counts } from "./counts.ts";

/** Levels of the test pyramid, cheapest first. What each one proves stands in CONTRIBUTING.md. */
export const LEVELS = ["unit", "emulator", "handler", "stack"] as const;
/** Levels that take long and run only when they are named. */
export const LONG_LEVELS = ["crash", "fuzz", "soak"] as const;
export type Level = (typeof LEVELS)[number] | (typeof LONG_LEVELS)[number];

/** What a level needs beside npm packages. */
export const NEEDS_TOOLCHAIN: ReadonlySet<Level> = new Set([
  "emulator",
  "handler",
  "stack",
  "crash",
  "fuzz",
  "soak",
]);

/** Levels in Python, and what pytest runs of them in `handler/`. */
export const PYTHON_LEVELS: ReadonlyMap<Level, readonly string[]> = new Map<Level, string[]>([
  ["handler", []],
  ["fuzz", ["tests/test_random_calls.py"]],
]);

/** How one level ended. */
export interface LevelResult extends Counts {
  readonly level: Level;
  readonly seconds: number;
}

/** Runs one level in this terminal and counts its tests. A runner that ends without counting is one failure. */
export async function runLevel(level: Level, env: NodeJS.ProcessEnv): Promise<LevelResult> {
  const folder = await mkdtemp(join(tmpdir(), "vertex-test-"));
  const started = performance.now();
  try {
    const tests = PYTHON_LEVELS.get(level);
    const counts =
      tests === undefined ? await runJest(level, folder, env) : await runPytest(tests, folder, env);
    return { level, ...counts, seconds: (performance.now() - started) / 1000 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runJest(level: Level, folder: string, env: NodeJS.ProcessEnv): Promise<Counts> {
  const report = join(folder, "jest.json");
  const code = await run(
    process.execPath,
    [
      ...["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
      join(PROJECT_ROOT, "node_modules/jest/bin/jest.js"),
      ...["--selectProjects", level, "--json", "--outputFile", report],
      // A run of the CLI keeps about one core busy, and waits for operations between.
      ...["--maxWorkers", "2", "--ci"],
    ],
    PROJECT_ROOT,
    env,
  );
  const text = await readFile(report, "utf8").catch(() => undefined);
  if (text === undefined) return NOTHING_COUNTED;
  return countJest(text, code);
}

async function runPytest(
  tests: readonly string[],
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<Counts> {
  const report = join(folder, "pytest.xml");
  const python = env["VERTEX_DIFFUSION_PYTHON"] ?? "python3";
  const code = await run(
    python,
    ["-m", "pytest", "-q", "-p", "no:cacheprovider", `--junitxml=${report}`, ...tests],
    join(PROJECT_ROOT, "handler"),
    { ...env, PATH: `${join(python, "..")}:${env["PATH"] ?? ""}` },
  );
  const text = await readFile(report, "utf8").catch(() => undefined);
  return text === undefined ? NOTHING_COUNTED : countPytest(text, code);
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const stdio = ["ignore", process.stderr, process.stderr] as const;
    const child = spawn(command, args, { cwd, env, stdio: [...stdio] });
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}
