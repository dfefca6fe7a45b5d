import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { NOTHING_COUNTED, countJest, countPytest } from "../testing/counts.ts";
import type { Counts } from "../testing/counts.ts";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import type { Target } from "./target.ts";

const FOLDER = join(PROJECT_ROOT, "test/conformance");
const PYTHON_FOLDER = join(FOLDER, "python");

/** What the suites run with. */
export interface SuiteContext {
  readonly target: Target;
  /** The Python that has Google's clients. */
  readonly python: string;
  /** Folder for reports, which the caller removes. */
  readonly folder: string;
  /** Hears each line that a suite prints. */
  readonly onLine: (line: string) => void;
  /** Ends the suites that run. */
  readonly signal?: AbortSignal;
}

/** How one suite ended. */
export interface SuiteResult extends Counts {
  readonly suite: string;
  readonly seconds: number;
  /** What it printed. */
  readonly output: string;
}

/** Runs Google's Python clients through the flows that deploy nothing. */
export function runPythonSuite(context: SuiteContext): Promise<SuiteResult> {
  return runFlows(context, "python", "not machines");
}

/** Runs Google's Python clients through the flows that deploy models, the tutorials first. */
export function runDeploymentSuite(context: SuiteContext): Promise<SuiteResult> {
  return runFlows(context, "deployed", "machines");
}

function runFlows(context: SuiteContext, suite: string, marks: string): Promise<SuiteResult> {
  return timed(suite, async () => {
    const report = join(context.folder, `${suite}.xml`);
    const ended = await runPytest(context, "flows", ["-m", marks, `--junitxml=${report}`]);
    return count(report, ended, countPytest);
  });
}

/** Runs Google's Node clients through theirs. */
export function runNodeSuite(context: SuiteContext): Promise<SuiteResult> {
  return timed("node", async () => {
    const report = join(context.folder, "jest.json");
    const ended = await run(context, process.execPath, PROJECT_ROOT, [
      ...["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
      // @google-cloud/storage's own, in each upload in chunks.
      "--disable-warning=MaxListenersExceededWarning",
      join(PROJECT_ROOT, "node_modules/jest/bin/jest.js"),
      ...["--config", join(FOLDER, "node/jest.config.js")],
      ...["--runInBand", "--ci", "--json", "--outputFile", report],
    ]);
    return count(report, ended, countJest);
  });
}

/** What a target answered to a question that Google's documentation leaves open. */
export interface Finding {
  readonly question: string;
  readonly answer: string;
}

/** Answers to the open questions. */
export interface Findings {
  readonly findings: readonly Finding[];
  /** What went wrong while they were asked, so that some could not be: no failure of the run. */
  readonly trouble: string;
}

/** Asks the open questions. */
export async function askOpenQuestions(context: SuiteContext): Promise<Findings> {
  const file = join(context.folder, "findings.jsonl");
  const env = { VERTEX_CONFORMANCE_FINDINGS: file };
  const { code, output } = await runPytest(context, "questions", [], env);
  const text = await readFile(file, "utf8").catch(() => "");
  const lines = text.split("\n").filter((line) => line !== "");
  const findings = lines.map((line) => JSON.parse(line) as Finding);
  return { findings, trouble: code === 0 ? "" : output };
}

/**
 * Removes what this run made, or, with `everyRun`, what any run made; its output names each thing. A thing that could
 * not be removed is a failure.
 */
export function cleanUp(context: SuiteContext, everyRun = false): Promise<SuiteResult> {
  return timed("clean-up", async () => {
    const scope = everyRun ? ["--all"] : [];
    const command = ["-m", "support.cleanup", ...scope];
    const { code, output } = await run(context, context.python, PYTHON_FOLDER, command);
    const failed = code === 0 ? 0 : 1;
    return { passed: 1 - failed, failed, skipped: 0, failures: [], output };
  });
}

function runPytest(
  context: SuiteContext,
  folder: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const options = ["-m", "pytest", "-v", "-p", "no:cacheprovider", "--show-capture=no"];
  return run(context, context.python, PYTHON_FOLDER, [...options, ...args, folder], env);
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a command to its end, or ends it when the context's signal says so. */
async function run(
  { target, onLine, signal }: SuiteContext,
  command: string,
  cwd: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const child = spawn(command, args, {
    cwd,
    env: {
      ...process.env,
      ...env,
      VERTEX_CONFORMANCE_TARGET: JSON.stringify(target),
      PYTHONDONTWRITEBYTECODE: "1",
      // Without it Google's clients look for a metadata server, which no laptop has, for seconds.
      ...(target.kind === "emulator" ? { METADATA_SERVER_DETECTION: "none" } : {}),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = (): boolean => child.kill("SIGTERM");
  signal?.addEventListener("abort", end);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream, crlfDelay: Infinity }).on("line", (line) => {
      lines.push(line);
      onLine(line);
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status ?? 1));
  });
  signal?.removeEventListener("abort", end);
  return { code, output: lines.join("\n") };
}

async function timed(
  suite: string,
  work: () => Promise<Counts & { readonly output: string }>,
): Promise<SuiteResult> {
  const started = performance.now();
  const ended = await work();
  return { suite, ...ended, seconds: (performance.now() - started) / 1000 };
}

/** A runner that ended without a report is one failure. */
async function count(
  report: string,
  { code, output }: Ended,
  read: (text: string, code: number) => Counts,
): Promise<Counts & { readonly output: string }> {
  const text = await readFile(report, "utf8").catch(() => undefined);
  const counts = text === undefined ? NOTHING_COUNTED : read(text, code);
  return { ...counts, output };
}
