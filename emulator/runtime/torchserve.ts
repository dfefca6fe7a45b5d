import { existsSync, linkSync, copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePorts } from "./free-ports.ts";
import { getJson } from "./http-client.ts";
import { findJavaHome } from "./java.ts";
import { processEnvironment } from "./process-environment.ts";
import { checkPython } from "./python.ts";
import type { Launch, ServerRuntime } from "./server-runtime.ts";
import type { ServerSpec } from "./server-spec.ts";

export interface TorchServeOptions {
  /** Python that has TorchServe. */
  readonly python: string;
  /** How long a worker may take to load the model, milliseconds. */
  readonly startupTimeoutMs: number;
}

/** The prebuilt images serve every archive under this name. */
export const MODEL_NAME = "model";
/** A Unix socket's path has at most 107 bytes; TorchServe puts ".ts.sock.9000" into its scratch folder. */
const LONGEST_SCRATCH_PATH = 90;
/** No prediction may last longer, as on a dedicated endpoint. */
const RESPONSE_TIMEOUT_SECONDS = 3600;

/** A TorchServe of its own, as the prebuilt images run one: one model, one worker, JSON envelope, no tokens. */
export function torchServe(options: TorchServeOptions): ServerRuntime {
  return (spec, folder) => prepareTorchServe(options, spec, folder);
}

async function prepareTorchServe(
  options: TorchServeOptions,
  spec: ServerSpec,
  folder: string,
): Promise<Launch> {
  await checkPython(options.python, { module: "ts", name: "torchserve" });
  const [inference = 0, management = 0, metrics = 0, ...grpc] = await findFreePorts(5);
  const store = join(folder, "model-store");
  mkdirSync(store, { recursive: true });
  putArchive(spec.archive, join(store, "model.mar"));
  const config = join(folder, "config.properties");
  const startupMs = spec.deploymentTimeoutMs ?? options.startupTimeoutMs;
  const startupSeconds = Math.ceil(startupMs / 1000);
  writeFileSync(
    config,
    [
      `inference_address=http://127.0.0.1:${inference}`,
      `management_address=http://127.0.0.1:${management}`,
      `metrics_address=http://127.0.0.1:${metrics}`,
      // Nobody calls these two, but TorchServe opens them always and ends when they are taken.
      `grpc_inference_port=${grpc[0]}`,
      `grpc_management_port=${grpc[1]}`,
      "grpc_inference_address=127.0.0.1",
      "grpc_management_address=127.0.0.1",
      "default_workers_per_model=1",
      "service_envelope=json",
      "install_py_dep_per_model=false",
      "disable_token_authorization=true",
      "disable_system_metrics=true",
      "job_queue_size=100",
      "max_request_size=20971520",
      "max_response_size=20971520",
      `default_response_timeout=${RESPONSE_TIMEOUT_SECONDS}`,
      `default_startup_timeout=${startupSeconds}`,
      // One small frontend per deployed model: a quick start counts for more than throughput.
      "vmargs=-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx512m",
      "",
    ].join("\n"),
  );
  const scratchDir = makeScratchDir(folder);
  const javaHome = await findJavaHome(options.python);
  return {
    command: [
      options.python,
      ...["-m", "ts.model_server", "--start", "--foreground", "--ncs", "--disable-token-auth"],
      ...["--model-store", store, "--models", `${MODEL_NAME}=model.mar`, "--ts-config", config],
    ],
    env: {
      ...processEnvironment(options.python),
      ...spec.env,
      ...(javaHome === undefined ? {} : { JAVA_HOME: javaHome }),
      PYTHONUNBUFFERED: "1",
      TEMP: scratchDir,
      TMPDIR: scratchDir,
    },
    folder,
    scratchDir,
    url: `http://127.0.0.1:${inference}`,
    // TorchServe's own /ping says Healthy long before the worker has loaded the model.
    isModelLoaded: async () =>
      hasReadyWorker(await getJson(`http://127.0.0.1:${management}/models/${MODEL_NAME}`)),
    // The archive is unpacked first.
    listensLate: true,
    failedLoad: /Retry worker: \d+ in \d+ seconds/g,
  };
}

function hasReadyWorker(description: unknown): boolean {
  if (!Array.isArray(description)) return false;
  const workers = (description[0] as { workers?: readonly { status?: string }[] }).workers ?? [];
  return workers.some((worker) => worker.status === "READY");
}

function putArchive(from: string, to: string): void {
  if (existsSync(to)) return;
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

function makeScratchDir(folder: string): string {
  const inside = join(folder, "tmp");
  if (inside.length > LONGEST_SCRATCH_PATH) return mkdtempSync(join(tmpdir(), "vertex-ts-"));
  mkdirSync(inside, { recursive: true });
  return inside;
}
