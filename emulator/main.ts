import { parseArgs } from "node:util";
import { CLOCK_MODES } from "./clock.ts";
import type { ClockMode } from "./clock.ts";
import { DataFolderInUseError } from "./data-folder.ts";
import { DEFAULT_GRPC_PORT, DEFAULT_PORT, PortInUseError, startEmulator } from "./server.ts";
import type { EmulatorOptions } from "./server.ts";

const HELP = `A local Vertex AI and Cloud Storage. A deployed model is a real TorchServe process, or
this project's own server.

Usage: node emulator/main.ts [options]

  --port PORT       REST: Vertex AI v1 and v1beta1, Cloud Storage (default ${DEFAULT_PORT}; 0 = a free one)
  --grpc-port PORT  gRPC: Vertex AI v1 and v1beta1 (default ${DEFAULT_GRPC_PORT}; 0 = a free one)
  --data DIR        folder of all state, kept between runs (default .local/emulator)
  --host HOST       address to listen on (default 127.0.0.1; anything else lets the network in)
  --clock MODE      real: operations take time; fast: none; manual: moved by POST /_emulator/clock (default real)
  --python PATH     Python with TorchServe and what the project's own server needs (default: VERTEX_DIFFUSION_PYTHON, else python3)
  --json            print nothing but the line of JSON
  --help            print this

When ready it prints one line of JSON, {"rest","grpc","pid","data"}, writes the same to DIR/address.json and runs until
SIGTERM or Ctrl-C. Open the REST address in a browser to see all that it holds. emulator/README.md lists what it serves.
`;

/** A wrong option. The message is for a person. */
class UsageError extends Error {}

interface Settings extends EmulatorOptions {
  readonly quiet: boolean;
  readonly help: boolean;
}

function readArguments(args: readonly string[]): Settings {
  const { values } = parse(args);
  const clock = values.clock ?? "real";
  if (!CLOCK_MODES.includes(clock as ClockMode)) {
    throw new UsageError(`--clock must be one of ${CLOCK_MODES.join(", ")}, got "${clock}".`);
  }
  return {
    dataDir: values.data ?? ".local/emulator",
    port: readPort("--port", values.port, DEFAULT_PORT),
    grpcPort: readPort("--grpc-port", values["grpc-port"], DEFAULT_GRPC_PORT),
    clock: clock as ClockMode,
    ...(values.host === undefined ? {} : { host: values.host }),
    ...(values.python === undefined ? {} : { python: values.python }),
    quiet: values.json === true,
    help: values.help === true,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: "string" },
        "grpc-port": { type: "string" },
        data: { type: "string" },
        host: { type: "string" },
        clock: { type: "string" },
        python: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message} See --help.`);
  }
}

function readPort(option: string, value: string | undefined, fallback: number): number {
  const port = value === undefined ? fallback : Number(value);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new UsageError(`${option} must be a port number from 0 to 65535, got "${value}".`);
}

async function main(): Promise<void> {
  const settings = readArguments(process.argv.slice(2));
  if (settings.help) {
    process.stdout.write(HELP);
    return;
  }
  const emulator = await startEmulator(settings);
  let closing = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (closing) return;
      closing = true;
      void emulator.close().then(() => process.exit(0));
    });
  }
  process.stdout.write(`${JSON.stringify(emulator.address)}\n`);
  if (settings.quiet) return;
  process.stderr.write(
    `Vertex AI and Cloud Storage are served locally. ${emulator.address.rest}/ shows what they hold; Ctrl-C stops them.\n`,
  );
}

try {
  await main();
} catch (error) {
  const expected = [UsageError, PortInUseError, DataFolderInUseError];
  if (!expected.some((kind) => error instanceof kind)) throw error;
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
