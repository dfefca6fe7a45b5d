import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { PROJECT_ROOT } from "../toolchain/project.ts";

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
export interface LevelResult {
  readonly level: Level;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
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

type Counts = Pick<LevelResult, "passed" | "failed" | "skipped">;

const NOTHING_COUNTED: Counts = { passed: 0, failed: 1, skipped: 0 };

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

/** Counts of Jest's JSON report. A suite that could not run counts as one failure. */
export function countJest(report: string, code: number): Counts {
  const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(
    report,
  ) as Record<string, number>;
  const failed = (numFailedTests ?? 0) + (numRuntimeErrorTestSuites ?? 0);
  return {
    passed: numPassedTests ?? 0,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: numPendingTests ?? 0,
  };
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

/** Counts of pytest's JUnit report. */
export function countPytest(report: string, code: number): Counts {
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(report)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  const skipped = count("skipped");
  return {
    passed: count("tests") - failed - skipped,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped,
  };
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
