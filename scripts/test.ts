/** `npm test`: makes ready what the tests need, runs them level by level, and says what each level counted. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CRASH_REPORT, beginCrashReport } from "./testing/crash-report.ts";
import { formatFailure } from "./testing/counts.ts";
import { LEVELS, LONG_LEVELS, NEEDS_TOOLCHAIN, PYTHON_LEVELS, runLevel } from "./testing/levels.ts";
import type { Level, LevelResult } from "./testing/levels.ts";
import { unpackHandlerPackages } from "./toolchain/handler-packages.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { formatElapsed, terminalReport } from "./toolchain/report.ts";
import { ensureToolchain } from "./toolchain/toolchain.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm test [-- LEVEL ...]

Levels: ${LEVELS.join(", ")}. All of them when none is named. Only when named, since it takes long: ${LONG_LEVELS.join(", ")}. The last line is "N passed, N failed".
CONTRIBUTING.md says what each level proves and what it does not.
`;

/** Random calls to the handler, and to each of both servers. */
const FUZZ_CALLS = process.env["VERTEX_DIFFUSION_PROPERTY_RUNS"] ?? "10000";

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const levels = toLevels(positionals);
  const env = levels.some((level) => NEEDS_TOOLCHAIN.has(level))
    ? await toolchainEnvironment()
    : process.env;

  const results: LevelResult[] = [];
  for (const level of levels) {
    process.stderr.write(`\n== ${level} ==\n`);
    results.push(await runLevel(level, { ...env, ...(await environmentOf(level, env)) }));
  }
  const summary = `${sum(results, "passed")} passed, ${sum(results, "failed")} failed`;
  if (levels.includes("crash")) process.stdout.write(`\nThe kills one by one: ${CRASH_REPORT}\n`);
  const failures = results.flatMap(({ level, failures }) =>
    failures.map((failure) => `${formatFailure(level, failure)}\n`),
  );
  process.stdout.write(`\n${failures.join("")}`);
  process.stdout.write(`${results.map(formatResult).join("\n")}\n${summary}\n`);
  await mkdir(join(PROJECT_ROOT, ".local"), { recursive: true });
  await writeFile(join(PROJECT_ROOT, ".local/test-results.json"), JSON.stringify(results, null, 2));
  return sum(results, "failed") === 0 && sum(results, "passed") > 0 ? 0 : 1;
}

/** What one level needs beside the toolchain's environment. */
async function environmentOf(level: Level, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  if (level === "crash") return beginCrashReport();
  if (!PYTHON_LEVELS.has(level)) return {};
  // The model server's environment has no packages of the handler's: they come with the archive.
  const python = env["VERTEX_DIFFUSION_PYTHON"] ?? "python3";
  const packages = await unpackHandlerPackages(python, terminalReport());
  return {
    VERTEX_DIFFUSION_PACKAGES: packages.archive,
    PYTHONPATH: packages.path,
    ...(level === "fuzz" ? { VERTEX_DIFFUSION_PROPERTY_RUNS: FUZZ_CALLS } : {}),
  };
}

/** Tests use what the toolchain found; the official gcp plugin when it is there, never a download. */
async function toolchainEnvironment(): Promise<NodeJS.ProcessEnv> {
  const { pulumi, python } = await ensureToolchain(terminalReport(), { allowDownload: false });
  return {
    ...process.env,
    VERTEX_DIFFUSION_PULUMI: pulumi.root,
    VERTEX_DIFFUSION_PYTHON: python.python,
    // Several model servers share the cores: threads that wait for each other make predictions slow.
    OMP_NUM_THREADS: process.env["OMP_NUM_THREADS"] ?? "1",
  };
}

function toLevels(names: readonly string[]): readonly Level[] {
  if (names.length === 0) return LEVELS;
  return names.map((name) => {
    const level = [...LEVELS, ...LONG_LEVELS].find((known) => known === name);
    if (level === undefined) {
      throw new UserError(
        `There is no test level "${name}". Levels: ${[...LEVELS, ...LONG_LEVELS].join(", ")}.`,
      );
    }
    return level;
  });
}

function formatResult({ level, passed, failed, skipped, seconds }: LevelResult): string {
  const left = skipped === 0 ? "" : `, ${skipped} skipped`;
  return `${level.padEnd(10)}${passed} of ${passed + failed} passed${left} in ${formatElapsed(seconds * 1000)}`;
}

function sum(results: readonly LevelResult[], key: "passed" | "failed"): number {
  return results.reduce((total, result) => total + result[key], 0);
}

await runMain(() => main(process.argv.slice(2)));
