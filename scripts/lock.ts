/** `npm run lock`: writes what an archive is made of beyond this project's own files, with hashes, so that preview knows it offline. */
import { parseArgs } from "node:util";
import { ReconcileError } from "../providers/errors.ts";
import { lockPackages } from "./lock/packages.ts";
import type { LockResult } from "./lock/result.ts";
import { lockWeights } from "./lock/weights.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { terminalReport } from "./toolchain/report.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run lock -- [options]

Writes weights.lock.json: path, size and SHA-256 of every file of the weights that the stack files name. A preview takes
the archive's digest from it, so that it needs no weights, and refuses a folder or file that is not what the lock says.
Weights that do not lie here keep what is locked of them, as repositories on the hub and folders of buckets do.

Writes handler/packages.lock from handler/requirements.in: the wheels that the archive carries beyond the image's torch
and numpy, with their hashes, for Python 3.9, 3.10 and 3.11 on Linux x86_64, and proves by a resolve without a network
that they are all that is needed. Versions that are locked already stay where they fit. Commit both files.

  --upgrade        take what repositories and buckets have now, and the newest packages that fit
  --handler DIR    another handler's folder (default: handler)
  --json           print [{lock, changed, summary, problems}] as JSON
  --help           print this

Environment:
  HF_TOKEN, HF_ENDPOINT                           token for what is not public on the hub, and address of a mirror of it
  UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL   package index to use instead of PyPI: the first that is set
`;

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const { help, json, upgrade, handler } = readOptions(args);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const report = terminalReport();
  const results: readonly LockResult[] = [
    await lockWeights({ root: PROJECT_ROOT, upgrade }, report),
    await lockPackages({ root: PROJECT_ROOT, handler, upgrade }, report).catch((error: unknown) => {
      throw error instanceof ReconcileError ? new UserError(error.message) : error;
    }),
  ];
  process.stdout.write(
    json ? `${JSON.stringify(results, null, 2)}\n` : results.map(formatResult).join(""),
  );
  const problems = results.flatMap((result) => result.problems ?? []);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  return problems.length === 0 ? 0 : 1;
}

function formatResult({ lock, changed, summary }: LockResult): string {
  return `${lock}: ${summary}; ${changed ? "written, commit it" : "nothing changed"}\n`;
}

function readOptions(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { ...flag, short: "h" },
        json: flag,
        upgrade: flag,
        handler: { type: "string", default: "handler" },
      },
    }).values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run lock -- --help".`);
  }
}

await runMain(() => main(process.argv.slice(2)));
