import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findFreePorts } from "../../emulator/runtime/free-ports.ts";
import type { ServerRuntime } from "../../emulator/runtime/server-runtime.ts";

const SERVER = join(import.meta.dirname, "..", "fixtures", "light-server", "server.py");

/** Any Python: the light server and the supervisor use nothing but its standard library. */
export const LIGHT_PYTHON = process.env["VERTEX_DIFFUSION_PYTHON"] ?? "python3";

/**
 * A runtime for tests that prove what is around a server: a real process that is ready in a moment and answers each
 * instance with itself. Its switches (LIGHT_*) are variables of the container spec, see the fixture.
 */
export const lightServer: ServerRuntime = async (spec, folder) => {
  const [port = 0] = await findFreePorts(1);
  const scratchDir = join(folder, "tmp");
  mkdirSync(scratchDir, { recursive: true });
  return {
    command: [LIGHT_PYTHON, "-I", "-S", SERVER, String(port)],
    env: { ...spec.env, PATH: process.env["PATH"] ?? "", TMPDIR: scratchDir },
    folder,
    scratchDir,
    url: `http://127.0.0.1:${port}`,
  };
};
