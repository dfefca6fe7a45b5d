import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { GoogleAuth } from "google-auth-library";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import { UserError } from "../toolchain/user-error.ts";

/** The cloud that a run tests, as the suites get it: JSON in VERTEX_CONFORMANCE_TARGET. */
export interface Target {
  readonly kind: "emulator" | "google";
  readonly project: string;
  readonly region: string;
  /** 8 hex digits: everything made is called `vd-conformance-<run>...`. */
  readonly run: string;
  /** Whether models may be deployed. */
  readonly machines: boolean;
  /** The emulator's REST address, "http://127.0.0.1:8085". */
  readonly rest?: string;
  /** The emulator's gRPC address, "127.0.0.1:8086". */
  readonly grpc?: string;
}

const DEFAULT_REGION = "us-central1";

/** The real project that the environment names; undefined = the local Vertex AI is meant. */
export function googleTarget(
  machines: boolean,
  env: NodeJS.ProcessEnv = process.env,
): Target | undefined {
  const project = env["VERTEX_CONFORMANCE_PROJECT"];
  if (project === undefined || project === "") return undefined;
  const region = env["VERTEX_CONFORMANCE_REGION"] ?? "";
  return {
    kind: "google",
    project,
    region: region === "" ? DEFAULT_REGION : region,
    run: newRun(),
    machines,
  };
}

/** @throws UserError when there are no application default credentials. */
export async function checkCredentials(): Promise<void> {
  try {
    const auth = new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloud-platform" });
    await auth.getAccessToken();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(
      `Could not get application default credentials for the real project: ${why} ` +
        `Run "gcloud auth application-default login", or unset VERTEX_CONFORMANCE_PROJECT to use the local Vertex AI.`,
    );
  }
}

/** An emulator of this run's own. */
export interface EmulatorTarget {
  readonly target: Target;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts an emulator on free ports with its data in a temporary folder. `python` runs its model servers.
 *
 * @throws UserError with the emulator's own words when it does not start.
 */
export async function startEmulatorTarget(python: string): Promise<EmulatorTarget> {
  const folder = await mkdtemp(join(tmpdir(), "vertex-conformance-"));
  const ports = ["--port", "0", "--grpc-port", "0"];
  const child = spawn(
    process.execPath,
    ["emulator/main.ts", ...ports, "--data", folder, "--python", python, "--json"],
    // A group of its own: Ctrl-C must not end it before the clean-up has run.
    {
      cwd: PROJECT_ROOT,
      detached: true,
      // Several model servers share the cores: threads that wait for each other make them slow.
      env: { ...process.env, OMP_NUM_THREADS: process.env["OMP_NUM_THREADS"] ?? "1" },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const exited = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  for await (const line of createInterface(child.stdout)) {
    const { rest, grpc } = JSON.parse(line) as { rest: string; grpc: string };
    return {
      target: {
        kind: "emulator",
        project: "local-project",
        region: DEFAULT_REGION,
        run: newRun(),
        machines: true,
        rest,
        grpc,
      },
      stop: async () => {
        child.kill("SIGTERM");
        await exited;
        await rm(folder, { recursive: true, force: true });
      },
    };
  }
  await rm(folder, { recursive: true, force: true });
  throw new UserError(`Could not start the local Vertex AI: ${said.trim()}`);
}

function newRun(): string {
  return randomBytes(4).toString("hex");
}
