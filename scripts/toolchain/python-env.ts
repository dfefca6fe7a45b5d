import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { cacheFolder, cacheKey, ensure, exists, readParts } from "./cache.ts";
import { CommandError, requireCommand, runCommand } from "./command.ts";
import { findJava } from "./java.ts";
import type { Plan } from "./plan.ts";
import { TOOLCHAIN_FOLDER } from "./project.ts";
import { waitingFor } from "./lock.ts";
import { ensureUv, findBasePython, machineParts } from "./pypi.ts";
import type { BasePython } from "./pypi.ts";
import type { Report, Step } from "./report.ts";
import { UserError } from "./user-error.ts";
import { PYTHON_LINE } from "./versions.ts";

/** What runs the model servers. */
export interface PythonEnv {
  /** The interpreter that has torch, TorchServe and diffusers. */
  readonly python: string;
  /** The Java program for TorchServe's front end. */
  readonly java: string;
}

/** The packages, with hashes, that the environment is made of. */
export const REQUIREMENTS_LOCK = join(TOOLCHAIN_FOLDER, "python/requirements.lock");

/** What the model servers import: loaded once here, so that a broken install shows now, not in a deploy. */
const FIRST_IMPORT = [
  "import torch, ts.model_service_worker",
  "from diffusers import StableDiffusionPipeline",
  "from transformers import CLIPTextModel, CLIPTokenizer",
].join("\n");

/** Where the Python environment comes from. */
export type PythonSource =
  | { readonly kind: "override"; readonly python: string }
  | { readonly kind: "cached"; readonly folder: string }
  | { readonly kind: "make"; readonly base: BasePython };

/** What `findPython` would do, without doing it. */
export function describePython(source: PythonSource): Plan {
  const what = `Python ${PYTHON_LINE} with torch, TorchServe and diffusers`;
  switch (source.kind) {
    case "override":
      return { what, how: `VERTEX_DIFFUSION_PYTHON, ${source.python}`, cost: null };
    case "cached":
      return { what, how: `kept in ${source.folder}`, cost: null };
    case "make":
      // Measured with requirements.lock; most of it is torch with its CUDA libraries.
      return {
        what,
        how: `from PyPI, on ${source.base.path}`,
        cost: { downloadMb: 3_000, diskMb: 5_200, minutes: 3 },
      };
  }
}

/**
 * Says where the Python environment would come from and what that costs; downloads nothing.
 *
 * @throws UserError when there is no usable Python.
 */
export async function planPython(): Promise<Plan> {
  return describePython(await choosePythonSource());
}

/**
 * Finds the Python environment, or makes it in the user's cache.
 *
 * @throws UserError when there is no usable Python or Java, or VERTEX_DIFFUSION_PYTHON lacks packages.
 */
export async function findPython(report: Report): Promise<PythonEnv> {
  const source = await choosePythonSource();
  const python = source.kind === "override" ? source.python : await ensureEnvironment(report);
  return { python, java: await findJava(python) };
}

async function choosePythonSource(): Promise<PythonSource> {
  const override = process.env["VERTEX_DIFFUSION_PYTHON"];
  if (override !== undefined && override !== "") {
    return { kind: "override", python: await checkOverride(override) };
  }
  const folder = join(cacheFolder(), await environmentKey());
  return (await isUsable(folder))
    ? { kind: "cached", folder }
    : { kind: "make", base: await findBasePython() };
}

async function checkOverride(python: string): Promise<string> {
  const path = resolve(python);
  const probe =
    "import importlib.util as u; print(', '.join(n for n in ('torch', 'ts', 'diffusers') if not u.find_spec(n)))";
  const isProgram = await stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
  const { code, stdout } = isProgram
    ? await runCommand(path, ["-c", probe], { timeoutMs: 30_000 })
    : { code: -1, stdout: "" };
  if (code !== 0) {
    throw new UserError(
      `VERTEX_DIFFUSION_PYTHON names "${python}", which is no Python that can be run. ` +
        `Correct it, or unset it to have the environment made.`,
    );
  }
  if (stdout.trim() !== "") {
    throw new UserError(
      `VERTEX_DIFFUSION_PYTHON names "${python}", which lacks the packages ${stdout.trim()}. Install ` +
        `"scripts/toolchain/python/requirements.lock" there, or unset the variable to have the environment made.`,
    );
  }
  return path;
}

async function ensureEnvironment(report: Report): Promise<string> {
  const cache = cacheFolder();
  const folder = await ensure(cache, await environmentKey(), {
    isUsable,
    onWait: (holder) => report.note(waitingFor("the Python environment", holder?.pid)),
    build: async (temporary) => {
      const base = await findBasePython();
      const uv = await ensureUv(cache, base, report);
      await installPackages(uv, base, temporary, report);
    },
  });
  return pythonIn(folder);
}

async function installPackages(
  uv: string,
  base: BasePython,
  folder: string,
  report: Report,
): Promise<void> {
  const step = report.step("Installing torch, TorchServe and diffusers");
  const onLine = readUvLine(step);
  const python = pythonIn(folder);
  try {
    // Relocatable: the folder gets its final name when it is whole.
    const venv = ["venv", "--quiet", "--allow-existing", "--relocatable", "--no-project"];
    await requireCommand(uv, [...venv, "--python", base.path, folder]);
    const install = ["pip", "install", "--require-hashes", "--no-deps", "--no-build"];
    await requireCommand(uv, [...install, "--python", python, "-r", REQUIREMENTS_LOCK], { onLine });
    step.update("loading them once");
    // It also leaves their compiled bytecode, so that every model server starts seconds faster.
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "" };
    await requireCommand(python, ["-c", FIRST_IMPORT], { env });
  } catch (error) {
    step.fail("not installed");
    throw explainInstallError(error);
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
async function isUsable(folder: string): Promise<boolean> {
  const python = pythonIn(folder);
  if (!(await exists(python))) {
    return false;
  }
  try {
    const probe = "import importlib.util as u; assert u.find_spec('ts')";
    return (await runCommand(python, ["-c", probe], { timeoutMs: 30_000 })).code === 0;
  } catch {
    return false;
  }
}

async function environmentKey(): Promise<string> {
  return cacheKey("python", { ...(await readParts([REQUIREMENTS_LOCK])), ...machineParts() });
}

function explainInstallError(error: unknown): unknown {
  if (!(error instanceof CommandError)) {
    return error;
  }
  const text = `${error.result.stdout}\n${error.result.stderr}`;
  if (/no space left|os error 28/i.test(text)) {
    return new UserError(
      "Could not install the Python packages: no space is left on the disk. They need about 6 GB in the " +
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
