/**
 * `npm run test:conformance`: clients that nobody here wrote, Google's own, run their flows against the local Vertex AI
 * or, unchanged, against a real project.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  askOpenQuestions,
  cleanUp,
  runDeploymentSuite,
  runNodeSuite,
  runPythonSuite,
} from "./conformance/suites.ts";
import type { Findings, SuiteContext, SuiteResult } from "./conformance/suites.ts";
import { checkCredentials, googleTarget, startEmulatorTarget } from "./conformance/target.ts";
import type { Target } from "./conformance/target.ts";
import { findConformancePython } from "./toolchain/conformance-python.ts";
import { findPython } from "./toolchain/python-env.ts";
import { formatElapsed, terminalReport } from "./toolchain/report.ts";
import type { Report } from "./toolchain/report.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run test:conformance [-- options]

Runs Google's own clients (Python SDK, google-cloud-storage, @google-cloud/aiplatform, @google-cloud/storage) through
the tutorials' steps, and asks what Google's documentation leaves open. Without a project they run against a local
Vertex AI that is started for them.

To run the same on your own Google Cloud project, with application default credentials:
  VERTEX_CONFORMANCE_PROJECT=my-project npm run test:conformance
Everything made there is called "vd-conformance-<random>..." and removed at the end, also after a failure.

  --deploy        on a real project: also the flows that deploy models, on machines that are billed
  --clean         on a real project: remove what earlier runs left behind, and nothing else
  --python-only   only the Python clients
  --node-only     only the Node clients
  --no-questions  leave the open questions out
  --json          print results and findings as JSON
  --help          print this

VERTEX_CONFORMANCE_REGION is the region (default us-central1). The last line is "N passed, N failed".
`;

/** What --deploy starts on a real project; test/conformance names the same machines. */
const BILLED_MACHINES = [
  "one n1-standard-8 with one NVIDIA_TESLA_T4",
  "up to six n1-standard-2, seldom more than two at once",
];

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const report = terminalReport();
  const python = await findConformancePython(report);
  const folder = await mkdtemp(join(tmpdir(), "vertex-conformance-report-"));
  try {
    const google = googleTarget(options.deploy);
    if (google !== undefined) {
      await checkCredentials();
      const where = { target: google, python, folder };
      if (options.clean) {
        const { failed } = await cleanUp({ ...where, onLine: (line) => report.note(line) }, true);
        return failed;
      }
      report.note(announce(google.project, google.region, options.deploy));
      return await runOn(where, options, report);
    }
    if (options.clean) {
      throw new UserError(
        "--clean is for a real project: set VERTEX_CONFORMANCE_PROJECT. A local Vertex AI leaves nothing behind.",
      );
    }
    const emulator = await startEmulatorTarget((await findPython(report)).python);
    try {
      return await runOn({ target: emulator.target, python, folder }, options, report);
    } finally {
      await emulator.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Options = ReturnType<typeof readOptions>;
type Where = Omit<SuiteContext, "onLine">;

function readOptions(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        deploy: flag,
        clean: flag,
        "python-only": flag,
        "node-only": flag,
        "no-questions": flag,
        json: flag,
        help: { ...flag, short: "h" },
      },
    });
    return values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run test:conformance -- --help".`);
  }
}

function announce(project: string, region: string, deploy: boolean): string {
  const where = `Running on project "${project}" in ${region}.`;
  return deploy
    ? `${where} This deploys to ${BILLED_MACHINES.join(" and ")}. Each is billed from its deployment until it is ` +
        `undeployed; the whole run takes an hour or two.`
    : `${where} Nothing is deployed; what is stored for some minutes costs less than a cent. The flows that need ` +
        `machines run with --deploy.`;
}

const ENDING_SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Runs what was chosen, side by side, and cleans up, whatever happens: Ctrl-C ends the suites, not the clean-up. */
async function runOn(where: Where, options: Options, report: Report): Promise<number> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  for (const signal of ENDING_SIGNALS) process.on(signal, interrupt);
  const step = report.step("Running Google's clients");
  const onLine = (line: string): void => step.update(line.trim());
  const context = { ...where, onLine, signal: interruption.signal };
  const results: SuiteResult[] = [];
  let findings: Findings;
  try {
    findings = await runSuites(context, options, report, results);
  } finally {
    step.update("cleaning up");
    results.push(await cleanUp({ ...where, onLine }));
    for (const signal of ENDING_SIGNALS) process.off(signal, interrupt);
    step.done();
  }
  const failed = sum(results, "failed") + (interruption.signal.aborted ? 1 : 0);
  print(where.target, results, findings, failed, options.json);
  return failed === 0 ? 0 : 1;
}

const NO_FINDINGS: Findings = { findings: [], trouble: "" };

/**
 * Runs the suites side by side, into `results`. On a real project what needs no machine must pass before any is paid
 * for.
 */
async function runSuites(
  context: SuiteContext,
  options: Options,
  report: Report,
  results: SuiteResult[],
): Promise<Findings> {
  const { target } = context;
  const isPython = !options["node-only"];
  const python = isPython ? runPythonSuite(context) : undefined;
  let rest = context;
  if (target.kind === "google" && target.machines && ((await python)?.failed ?? 0) > 0) {
    report.note("Nothing is deployed, since flows that need no machine have failed.");
    rest = { ...context, target: { ...target, machines: false } };
  }
  const [suites, findings] = await Promise.all([
    Promise.all([
      ...(python === undefined ? [] : [python, runDeploymentSuite(rest)]),
      ...(options["python-only"] ? [] : [runNodeSuite(rest)]),
    ]),
    isPython && !options["no-questions"] ? askOpenQuestions(rest) : NO_FINDINGS,
  ]);
  results.push(...suites);
  return findings;
}

function print(
  { kind, project, region }: Target,
  results: readonly SuiteResult[],
  { findings, trouble }: Findings,
  failed: number,
  json: boolean,
): void {
  const broken = results.filter((result) => result.failed > 0);
  for (const { suite, output } of broken) process.stderr.write(`\n== ${suite} ==\n${output}\n`);
  if (trouble !== "") {
    process.stderr.write(`\n== open questions, of which some could not be asked ==\n${trouble}\n`);
  }
  const passed = sum(results, "passed");
  if (json) {
    const suites = results.map(({ output: _, ...counts }) => counts);
    const body = { target: { kind, project, region }, suites, findings, passed, failed };
    process.stdout.write(`${JSON.stringify(body, null, 2)}\n`);
    return;
  }
  if (findings.length > 0) {
    const who = kind === "emulator" ? "the local Vertex AI" : `project "${project}" in ${region}`;
    process.stdout.write(`\nOpen questions, as ${who} answered them. None of them can fail.\n`);
    for (const { question, answer } of findings) {
      process.stdout.write(`  ${question}\n    ${answer}\n`);
    }
  }
  process.stdout.write(`\n${results.map(formatResult).join("\n")}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
}

function formatResult({ suite, passed, failed, skipped, seconds }: SuiteResult): string {
  const left = skipped === 0 ? "" : `, ${skipped} skipped`;
  return `${suite.padEnd(10)}${passed} of ${passed + failed} passed${left} in ${formatElapsed(seconds * 1000)}`;
}

function sum(results: readonly SuiteResult[], key: "passed" | "failed"): number {
  return results.reduce((total, result) => total + result[key], 0);
}

await runMain(() => main(process.argv.slice(2)));
