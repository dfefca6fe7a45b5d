import { join } from "node:path";
import { cacheFolder, cacheKey, ensure, exists, readParts } from "./cache.ts";
import { CommandError, requireCommand, runCommand } from "./command.ts";
import { waitingFor } from "./lock.ts";
import { ensureUv, findBasePython, machineParts } from "./pypi.ts";
import type { BasePython } from "./pypi.ts";
import type { Report, Step } from "./report.ts";
import { UserError } from "./user-error.ts";

/** A Python environment in the user's cache, made from a lock file with hashes. */
export interface LockedPython {
  /** First part of its folder's name in the cache. */
  readonly name: string;
  /** "the Python environment": for whoever waits while another process makes it. */
  readonly what: string;
  /** "torch and TorchServe": the packages that matter, for people. */
  readonly packages: string;
  /** The requirements file, with hashes. */
  readonly lock: string;
  /** A module that only a whole environment has. */
  readonly probeModule: string;
  /** Program that loads the packages once, so that a broken install shows at once. */
  readonly firstImport: string;
  /** What it takes on disk while it is made, for the message of a full disk. */
  readonly diskGb: number;
}

/** Where an environment is or would be, and whether it can be used as it is. */
export async function lookUpLockedPython(
  environment: LockedPython,
): Promise<{ readonly folder: string; readonly isReady: boolean }> {
  const folder = join(cacheFolder(), await environmentKey(environment));
  return { folder, isReady: await isUsable(environment, folder) };
}

/**
 * The interpreter of an environment, which is made when it is missing.
 *
 * @throws UserError when there is no usable Python, PyPI can't be reached or the disk is full.
 */
export async function ensureLockedPython(
  environment: LockedPython,
  report: Report,
): Promise<string> {
  const cache = cacheFolder();
  const folder = await ensure(cache, await environmentKey(environment), {
    isUsable: (path) => isUsable(environment, path),
    onWait: (holder) => report.note(waitingFor(environment.what, holder?.pid)),
    build: async (temporary) => {
      const base = await findBasePython();
      const uv = await ensureUv(cache, base, report);
      await installPackages(environment, { uv, base, folder: temporary, report });
    },
  });
  return pythonIn(folder);
}

interface InstallOptions {
  readonly uv: string;
  readonly base: BasePython;
  readonly folder: string;
  readonly report: Report;
}

async function installPackages(
  environment: LockedPython,
  { uv, base, folder, report }: InstallOptions,
): Promise<void> {
  const step = report.step(`Installing ${environment.packages}`);
  const onLine = readUvLine(step);
  const python = pythonIn(folder);
  try {
    // Relocatable: the folder gets its final name when it is whole.
    const venv = ["venv", "--quiet", "--allow-existing", "--relocatable", "--no-project"];
    await requireCommand(uv, [...venv, "--python", base.path, folder]);
    const install = ["pip", "install", "--require-hashes", "--no-deps", "--no-build"];
    const from = ["--python", python, "-r", environment.lock];
    await requireCommand(uv, [...install, ...from], { onLine });
    step.update("loading them once");
    // It also leaves their compiled bytecode, so that every later start is seconds faster.
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "" };
    await requireCommand(python, ["-c", environment.firstImport], { env });
  } catch (error) {
    step.fail("not installed");
    throw explainInstallError(error, environment.diskGb);
  }
  step.done();
}

/** Shows what uv says, one line at a time: which wheel it fetches, what it has prepared. */
function readUvLine(step: Step): (line: string) => void {
  return (line) => {
    if (!line.startsWith(" ")) {
      step.update(line.trim());
    }
  };
}

function pythonIn(folder: string): string {
  return join(folder, "bin/python");
}

/** An environment hangs on the interpreter it was made with: an upgrade of the system may remove it. */
async function isUsable(environment: LockedPython, folder: string): Promise<boolean> {
  const python = pythonIn(folder);
  if (!(await exists(python))) {
    return false;
  }
  try {
    const probe = `import importlib.util as u; assert u.find_spec('${environment.probeModule}')`;
    return (await runCommand(python, ["-c", probe], { timeoutMs: 30_000 })).code === 0;
  } catch {
    return false;
  }
}

async function environmentKey({ name, lock }: LockedPython): Promise<string> {
  return cacheKey(name, { ...(await readParts([lock])), ...machineParts() });
}

function explainInstallError(error: unknown, diskGb: number): unknown {
  if (!(error instanceof CommandError)) {
    return error;
  }
  const text = `${error.result.stdout}\n${error.result.stderr}`;
  if (/no space left|os error 28/i.test(text)) {
    return new UserError(
      `Could not install the Python packages: no space is left on the disk. They need about ${diskGb} GB in the ` +
        "user's cache folder; set XDG_CACHE_HOME to one on a larger disk.",
    );
  }
  if (/error sending request|failed to fetch|dns error|connection|timed out/i.test(text)) {
    return new UserError(
      "Could not install the Python packages: PyPI could not be reached. Check the connection, or set " +
        "UV_DEFAULT_INDEX to a mirror; what was fetched so far is kept.",
    );
  }
  return error;
}
