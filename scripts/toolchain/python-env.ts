import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { runCommand } from "./command.ts";
import { findJava } from "./java.ts";
import { ensureLockedPython, lookUpLockedPython } from "./locked-python.ts";
import type { LockedPython } from "./locked-python.ts";
import type { Plan } from "./plan.ts";
import { TOOLCHAIN_FOLDER } from "./project.ts";
import { findBasePython } from "./pypi.ts";
import type { BasePython } from "./pypi.ts";
import type { Report } from "./report.ts";
import { UserError } from "./user-error.ts";
import { PYTHON_LINE } from "./versions.ts";

/** What runs the model servers. */
export interface PythonEnv {
  /** The interpreter that has torch and TorchServe. */
  readonly python: string;
  /** The Java program for TorchServe's front end. */
  readonly java: string;
}

const ENVIRONMENT: LockedPython = {
  name: "python",
  what: "the Python environment",
  packages: "torch and TorchServe",
  lock: join(TOOLCHAIN_FOLDER, "python/requirements.lock"),
  probeModule: "ts",
  // What the model servers import: a broken install shows now, not in a deploy.
  firstImport: "import torch, ts.model_service_worker, starlette.applications, uvicorn",
  diskGb: 6,
};

/** Where the Python environment comes from. */
export type PythonSource =
  | { readonly kind: "override"; readonly python: string }
  | { readonly kind: "cached"; readonly folder: string }
  | { readonly kind: "make"; readonly base: BasePython };

/** What `findPython` would do, without doing it. */
export function describePython(source: PythonSource): Plan {
  const what = `Python ${PYTHON_LINE} with torch and TorchServe`;
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
  const python =
    source.kind === "override" ? source.python : await ensureLockedPython(ENVIRONMENT, report);
  return { python, java: await findJava(python) };
}

async function choosePythonSource(): Promise<PythonSource> {
  const override = process.env["VERTEX_DIFFUSION_PYTHON"];
  if (override !== undefined && override !== "") {
    return { kind: "override", python: await checkOverride(override) };
  }
  const { folder, isReady } = await lookUpLockedPython(ENVIRONMENT);
  return isReady ? { kind: "cached", folder } : { kind: "make", base: await findBasePython() };
}

async function checkOverride(python: string): Promise<string> {
  const path = resolve(python);
  const names = "('torch', 'ts', 'starlette', 'uvicorn')";
  const probe = `import importlib.util as u; print(', '.join(n for n in ${names} if not u.find_spec(n)))`;
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
