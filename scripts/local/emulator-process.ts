import { spawn } from "node:child_process";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findRunningEmulator } from "../toolchain/emulator-address.ts";
import { localPaths } from "../toolchain/environment.ts";
import type { EmulatorAddress } from "../toolchain/environment.ts";
import { isProcessAlive } from "../../providers/process-alive.ts";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import type { Report } from "../toolchain/report.ts";
import { UserError } from "../toolchain/user-error.ts";

/** Where a background emulator listens and what it runs its model servers with. */
export interface EmulatorSettings {
  readonly python: string;
  /** REST port; undefined: the emulator's own default. */
  readonly port?: string | undefined;
  /** gRPC port; undefined: the emulator's own default. */
  readonly grpcPort?: string | undefined;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;

/** Log of the emulator that `npm run local` starts. */
export const EMULATOR_LOG = join(PROJECT_ROOT, ".local/logs/emulator.log");

/** The running emulator's address, after starting one in the background when none runs. */
export async function ensureEmulator(
  settings: EmulatorSettings,
  report: Report,
): Promise<EmulatorAddress> {
  const running = await findRunningEmulator(PROJECT_ROOT);
  if (running !== undefined) return running;
  const step = report.step("Starting the local Vertex AI");
  try {
    const address = await startEmulator(settings);
    step.done(address.rest);
    return address;
  } catch (error) {
    step.fail("not started");
    throw error;
  }
}

async function startEmulator(settings: EmulatorSettings): Promise<EmulatorAddress> {
  await mkdir(join(PROJECT_ROOT, ".local/logs"), { recursive: true });
  const log = await open(EMULATOR_LOG, "w");
  const ports = [
    ...(settings.port === undefined ? [] : ["--port", settings.port]),
    ...(settings.grpcPort === undefined ? [] : ["--grpc-port", settings.grpcPort]),
  ];
  const data = join(PROJECT_ROOT, ".local/emulator");
  const child = spawn(
    process.execPath,
    ["emulator/main.ts", "--data", data, "--python", settings.python, ...ports],
    { cwd: PROJECT_ROOT, detached: true, stdio: ["ignore", log.fd, log.fd] },
  );
  let ended = false;
  child.once("exit", () => (ended = true));
  child.unref();
  await log.close();
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && !ended) {
    const address = await findRunningEmulator(PROJECT_ROOT);
    if (address !== undefined) return address;
    await sleep(100);
  }
  const said = (await readFile(EMULATOR_LOG, "utf8")).trim();
  throw new UserError(
    said === ""
      ? `Could not start the local Vertex AI within ${START_TIMEOUT_MS / 1000} s. See "${EMULATOR_LOG}".`
      : said,
  );
}

/** Stops the emulator and its model servers. Returns false when none was running. */
export async function stopEmulator(report: Report): Promise<boolean> {
  const path = localPaths(PROJECT_ROOT).emulatorAddress;
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return false;
  const { pid } = JSON.parse(text) as { pid: number };
  if ((await findRunningEmulator(PROJECT_ROOT)) === undefined || !isProcessAlive(pid)) return false;
  const step = report.step("Stopping the local Vertex AI");
  process.kill(pid, "SIGTERM");
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (isProcessAlive(pid)) {
    if (Date.now() > deadline) {
      step.fail(`process ${pid} still runs`);
      throw new UserError(
        `The local Vertex AI (process ${pid}) did not stop within ${STOP_TIMEOUT_MS / 1000} s. End it with "kill -9 ${pid}".`,
      );
    }
    await sleep(100);
  }
  step.done();
  return true;
}
