import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What a server needs of its Python. */
export interface NeededPackage {
  readonly module: string;
  /** Its name in the package index. */
  readonly name: string;
}

/** Throws, with the way out, when the Python lacks what a server can't run without. */
export async function checkPython(python: string, needed: NeededPackage): Promise<void> {
  const code = `import importlib.util, sys; sys.exit(importlib.util.find_spec('${needed.module}') is None)`;
  try {
    await run(python, ["-c", code]);
  } catch {
    throw new Error(
      `No model server could be started: "${python}" is not a Python with the package "${needed.name}". Start the emulator with --python or VERTEX_DIFFUSION_PYTHON set to one.`,
    );
  }
}
