/** `npm run check`: format, lint and types of TypeScript and Python. Changes nothing. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCommand } from "./toolchain/command.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { findPython } from "./toolchain/python-env.ts";
import { terminalReport } from "./toolchain/report.ts";
import { runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run check

Prettier, ESLint and TypeScript over the project; Ruff and mypy over everything in Python.
`;

/** Folders with a pyproject.toml, and what else is held to it. */
const PYTHON_FOLDERS = [
  {
    folder: "handler",
    also: [
      ...["../scripts/make-tiny-pipeline.py", "../scripts/train-demo-model.py"],
      ...["../scripts/demo_model", "../scripts/bench", "../emulator/runtime/supervise.py"],
      ...["../test/conformance/handler", "../test/fixtures"],
    ],
  },
  { folder: "test/conformance/python", also: [] },
] as const;

interface Check {
  readonly title: string;
  readonly command: readonly string[];
  /** Folder in the project. */
  readonly folder: string;
}

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const options = { help: { type: "boolean", short: "h", default: false } } as const;
  if (parseArgs({ args: [...args], options }).values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const report = terminalReport();
  const { python } = await findPython(report);
  let failed = 0;
  for (const check of listChecks(python)) {
    const step = report.step(check.title);
    const [command = "", ...rest] = check.command;
    const result = await runCommand(command, rest, { cwd: join(PROJECT_ROOT, check.folder) });
    if (result.code === 0) {
      step.done();
    } else {
      step.fail("");
      process.stdout.write(`${result.stdout}\n${result.stderr}\n`);
      failed += 1;
    }
  }
  return failed === 0 ? 0 : 1;
}

function listChecks(python: string): readonly Check[] {
  const node = (tool: string, ...rest: string[]) => [
    join(PROJECT_ROOT, "node_modules/.bin", tool),
    ...rest,
  ];
  const module = (...rest: string[]) => [python, "-m", ...rest];
  return [
    { title: "Prettier", command: node("prettier", "--check", "."), folder: "." },
    { title: "ESLint", command: node("eslint", "."), folder: "." },
    { title: "TypeScript", command: node("tsc", "-p", "."), folder: "." },
    ...PYTHON_FOLDERS.flatMap(({ folder, also }): Check[] => [
      { title: `Ruff in ${folder}`, command: module("ruff", "check", ".", ...also), folder },
      {
        title: `Ruff format in ${folder}`,
        command: module("ruff", "format", "--check", "--config", "pyproject.toml", ".", ...also),
        folder,
      },
      { title: `mypy in ${folder}`, command: module("mypy"), folder },
    ]),
  ];
}

await runMain(() => main(process.argv.slice(2)));
