import { glob, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { cacheKey, ensure, readParts } from "./cache.ts";
import { requireCommand, runCommand } from "./command.ts";
import { TOOLCHAIN_FOLDER } from "./project.ts";
import type { Report } from "./report.ts";
import { UserError } from "./user-error.ts";
import { PYTHON_LINE } from "./versions.ts";

/** A Python interpreter that can make virtual environments. */
export interface BasePython {
  /** Path of the interpreter itself, not of a shim that picks one. */
  readonly path: string;
  /** "3.11.7" */
  readonly version: string;
}

/** What a candidate says about itself; null when it can't be run. */
export interface PythonProbe {
  readonly path: string;
  readonly version: string;
  readonly hasVenv: boolean;
}

const PROBE = [
  "import importlib.util as u, json, platform, sys",
  "has = all(u.find_spec(name) for name in ('venv', 'ensurepip'))",
  "path = getattr(sys, '_base_executable', None) or sys.executable",
  "print(json.dumps({'path': path, 'version': platform.python_version(), 'hasVenv': has}))",
].join("\n");

/**
 * The first usable Python of the pinned line among the probed ones.
 *
 * @throws UserError that says which of the two is missing, Python or its venv module.
 */
export function choosePython(probes: readonly PythonProbe[]): BasePython {
  const fitting = probes.filter((probe) => probe.version.startsWith(`${PYTHON_LINE}.`));
  const usable = fitting.find((probe) => probe.hasVenv);
  if (usable !== undefined) {
    return { path: usable.path, version: usable.version };
  }
  if (fitting[0] !== undefined) {
    throw new UserError(
      `Python ${fitting[0].version} at "${fitting[0].path}" can't make virtual environments: its venv ` +
        `or ensurepip module is missing. Install it ("apt install python${PYTHON_LINE}-venv" on Debian and Ubuntu).`,
    );
  }
  const found = [...new Set(probes.map((probe) => probe.version))].join(", ");
  throw new UserError(
    `Python ${PYTHON_LINE} is needed to run the model server and was not found` +
      `${found === "" ? "" : ` (found: ${found})`}. Install Python ${PYTHON_LINE} with venv, or set ` +
      `VERTEX_DIFFUSION_PYTHON to an interpreter that has the packages of scripts/toolchain/python.`,
  );
}

/** Looks for a Python of the pinned line: on PATH, then among pyenv's. */
export async function findBasePython(): Promise<BasePython> {
  const candidates = [`python${PYTHON_LINE}`, "python3", "python"];
  const pyenv = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  for await (const path of glob(`${PYTHON_LINE}*/bin/python3`, { cwd: pyenv })) {
    candidates.push(join(pyenv, path));
  }

  const probes: PythonProbe[] = [];
  for (const candidate of candidates) {
    const probe = await probePython(candidate);
    if (probe !== null) {
      probes.push(probe);
      if (probe.hasVenv && probe.version.startsWith(`${PYTHON_LINE}.`)) {
        break;
      }
    }
  }
  return choosePython(probes);
}

async function probePython(command: string): Promise<PythonProbe | null> {
  try {
    const { code, stdout } = await runCommand(command, ["-c", PROBE], { timeoutMs: 10_000 });
    return code === 0 ? (JSON.parse(stdout) as PythonProbe) : null;
  } catch {
    return null; // not there, or not a Python
  }
}

/** The path of the pinned uv, installed into the cache with pip and a hash when it is missing. */
export async function ensureUv(cache: string, python: BasePython, report: Report): Promise<string> {
  const requirements = join(TOOLCHAIN_FOLDER, "requirements-uv.txt");
  const key = cacheKey("uv", { ...(await readParts([requirements])), ...machineParts() });
  const folder = await ensure(cache, key, {
    build: async (temporary) => {
      const step = report.step("Installing uv");
      const venv = join(temporary, "venv");
      await requireCommand(python.path, ["-m", "venv", venv]);
      const pip = ["-m", "pip", "install", "--no-input", "--require-hashes", "--no-deps"];
      await requireCommand(join(venv, "bin/python"), [...pip, "-r", requirements], {
        onLine: (line) => step.update(line.trim()),
      });
      // The program is all of uv that is needed, and it does not care where it lies.
      await requireCommand("cp", [join(venv, "bin/uv"), join(temporary, "uv")]);
      await rm(venv, { recursive: true, force: true });
      step.done();
    },
  });
  return join(folder, "uv");
}

/** What a cache key must know of the machine: a home folder may be shared between kinds of them. */
export function machineParts(): Record<string, string> {
  return { platform: process.platform, arch: process.arch };
}
