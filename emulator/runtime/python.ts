import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Throws, with the way out, when the Python can't run TorchServe at all. */
export async function checkPython(python: string): Promise<void> {
  const code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ts') is None)";
  try {
    await run(python, ["-c", code]);
  } catch {
    throw new Error(
      `No model server could be started: "${python}" is not a Python with the package "torchserve". Start the emulator with --python or VERTEX_DIFFUSION_PYTHON set to one.`,
    );
  }
}
