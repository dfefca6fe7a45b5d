import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findFreePorts } from "./free-ports.ts";
import { processEnvironment } from "./process-environment.ts";
import { checkPython } from "./python.ts";
import type { NeededPackage } from "./python.ts";
import type { Launch, ServerRuntime } from "./server-runtime.ts";
import type { ServerSpec } from "./server-spec.ts";

/** What an image says of its server. */
export interface ServerProgram {
  readonly command: readonly string[];
  /** As with an image, the container spec's own variables go before these. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the Python must have for it. */
  readonly needs?: NeededPackage;
}

export interface CustomServerOptions {
  /** Python that has the packages of the project's own server. */
  readonly python: string;
  /** What the image would run. @default the project's own server */
  readonly program?: ServerProgram;
}

const HANDLER = join(import.meta.dirname, "..", "..", "handler");

/**
 * A server that keeps to Vertex AI's custom-container contract. All that it knows it has from its variables: the artifacts
 * lie in Cloud Storage, and the port is one of its own, since processes share what each container has for itself.
 */
export function customServer({ python, program }: CustomServerOptions): ServerRuntime {
  return (spec, folder) => prepareCustomServer(python, program ?? ownProgram(python), spec, folder);
}

/** What the project's own image runs, on loopback alone. */
function ownProgram(python: string): ServerProgram {
  return {
    command: [python, "-m", "container", "--host", "127.0.0.1"],
    env: { PYTHONPATH: HANDLER, PYTHONDONTWRITEBYTECODE: "1" },
    needs: { module: "uvicorn", name: "uvicorn" },
  };
}

async function prepareCustomServer(
  python: string,
  program: ServerProgram,
  spec: ServerSpec,
  folder: string,
): Promise<Launch> {
  if (program.needs !== undefined) await checkPython(python, program.needs);
  const [port = 0] = await findFreePorts(1);
  const scratchDir = join(folder, "tmp");
  mkdirSync(scratchDir, { recursive: true });
  return {
    command: program.command,
    env: {
      ...processEnvironment(python),
      ...program.env,
      ...spec.env,
      AIP_HTTP_PORT: String(port),
      PYTHONUNBUFFERED: "1",
      TEMP: scratchDir,
      TMPDIR: scratchDir,
    },
    folder,
    scratchDir,
    url: `http://127.0.0.1:${port}`,
    endsAtSigterm: true,
  };
}
