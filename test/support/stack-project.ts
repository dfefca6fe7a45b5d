import { spawn } from "node:child_process";
import {
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { DEMO_WEIGHTS } from "../../scripts/local/twin-weights.ts";
import { clearKilledRuns } from "../../scripts/toolchain/killed-runs.ts";
import { localEnvironment } from "../../scripts/toolchain/environment.ts";
import { findGcpPlugin, prepareLocalHome } from "../../scripts/toolchain/gcp-plugin.ts";
import { PROJECT_ROOT } from "../../scripts/toolchain/project.ts";
import { findPulumi } from "../../scripts/toolchain/pulumi-cli.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import { emulatorState, startTestEmulator } from "./emulator.ts";
import type { TestEmulator } from "./emulator.ts";
import { LIGHT_PYTHON, lightServer } from "./light-server.ts";
import { writeLock } from "./pipeline-folder.ts";

const GCP_PLUGIN = "pulumi-resource-gcp";

/** How a CLI run ended. */
export interface CliResult {
  readonly code: number;
  /** stdout and stderr as they came. */
  readonly output: string;
}

export interface StackProjectOptions {
  /** What is packed. @default "light" */
  readonly handler?: "light" | "real";
  /** What answers predictions. @default "torchserve" */
  readonly servers?: "light" | "torchserve";
  /** A project whose local cloud this one shares, from a backend of its own. @default a cloud of its own */
  readonly beside?: StackProject;
}

/** The settings that a test stack starts with: one light model server on a simulated T4. */
const DEFAULT_SETTINGS = {
  container: "prebuilt",
  machineType: "n1-standard-8",
  acceleratorType: "NVIDIA_TESLA_T4",
  dedicatedEndpoint: "false",
  weights: "weights",
  forceDestroy: "true",
  emulator: "true",
};

/**
 * The real program in a folder of a test's own: own stack file, handler, weights, backend and emulator. Components,
 * providers and node_modules are the checkout's, by links, so what runs is the source under test.
 */
export class StackProject {
  readonly root: string;
  readonly emulator: TestEmulator;
  readonly env: NodeJS.ProcessEnv;
  #settings: Record<string, unknown> = DEFAULT_SETTINGS;
  readonly #cli: string;
  /** Folder of the gcp plugin's program. */
  readonly #gcpPlugin: string;

  /** Whether the local cloud is another project's, and stays when this one is removed. */
  #isGuest = false;

  private constructor(
    root: string,
    emulator: TestEmulator,
    env: NodeJS.ProcessEnv,
    programs: { readonly cli: string; readonly gcpPlugin: string },
  ) {
    this.root = root;
    this.emulator = emulator;
    this.env = env;
    this.#cli = programs.cli;
    this.#gcpPlugin = programs.gcpPlugin;
  }

  /**
   * Makes project, emulator and stack "test"; with `handler: "real"` the product's handler and the demo model. With
   * `servers: "light"` a deployed model is a process that is ready at once, for tests of what surrounds it.
   */
  static async create(options: StackProjectOptions = {}): Promise<StackProject> {
    const root = await mkdtemp(join(tmpdir(), "vertex-stack-"));
    await copySources(root, options.handler ?? "light");
    const emulator =
      options.beside?.emulator ??
      (await startTestEmulator(
        options.servers === "light" ? { runtime: lightServer, python: LIGHT_PYTHON } : {},
      ));
    const cli = await findPulumi(silentReport);
    const plugin = await findGcpPlugin(silentReport, { allowDownload: false, cli });
    await prepareLocalHome(root, plugin, join(root, ".local"));
    const env = localEnvironment({
      root: PROJECT_ROOT,
      localFolder: join(root, ".local"),
      cli,
      plugin,
      stack: "test",
      address: emulator.address,
    });
    env["VERTEX_DIFFUSION_EMULATOR"] = join(emulator.address.data, "address.json");
    env["VERTEX_DIFFUSION_POLL_MS"] = "100";
    const programs = { cli: join(cli.bin, "pulumi"), gcpPlugin: plugin.path };
    const project = new StackProject(root, emulator, env, programs);
    project.#isGuest = options.beside !== undefined;
    await project.set(options.handler === "real" ? { weights: DEMO_WEIGHTS } : {});
    const made = await project.run(["stack", "init", "test"]);
    if (made.code !== 0) throw new Error(`no stack: ${made.output}`);
    await project.set({});
    return project;
  }

  /** Makes the gcp plugin of all later runs start so late, as on a busy machine. */
  async delayGcpPlugin(seconds: number): Promise<void> {
    const folder = join(this.root, "late");
    await mkdir(folder);
    const program = `#!/bin/sh\nsleep ${seconds}\nexec "${join(this.#gcpPlugin, GCP_PLUGIN)}" "$@"\n`;
    await writeFile(join(folder, GCP_PLUGIN), program, { mode: 0o755 });
    this.env["PATH"] = `${folder}:${this.env["PATH"] ?? ""}`;
  }

  /** Starts the local cloud again, on other ports; `npm run pulumi` looks where it listens at each command. */
  async restartEmulator(): Promise<void> {
    await this.emulator.restart();
    const { rest } = this.emulator.address;
    this.env["GOOGLE_STORAGE_CUSTOM_ENDPOINT"] = `${rest}/storage/v1/`;
    this.env["GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT"] = `${rest}/v1/`;
  }

  /** Changes settings of the stack file; null takes one out. */
  async set(settings: Readonly<Record<string, unknown>>, region = "us-central1"): Promise<void> {
    this.#settings = { ...this.#settings, ...settings };
    const config: Record<string, unknown> = {
      "gcp:project": "local-project",
      "gcp:region": region,
    };
    for (const [name, value] of Object.entries(this.#settings)) {
      if (value !== null) config[`vertex-diffusion:${name}`] = value;
    }
    const path = join(this.root, "Pulumi.test.yaml");
    const salt = /^encryptionsalt: (.*)$/m.exec(await readFile(path, "utf8").catch(() => ""))?.[1];
    await writeFile(path, stringify({ config, ...(salt && { encryptionsalt: salt }) }));
  }

  /** Changes what the archive is made of. */
  async writeHandlerFile(name: string, text: string): Promise<void> {
    await writeFile(join(this.root, "handler", name), text);
  }

  async removeHandlerFile(name: string): Promise<void> {
    await rm(join(this.root, "handler", name));
  }

  /** Starts the CLI; `wait` on the result's promise, or kill the process. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = this.env) {
    return run(this.#cli, [...args, "--non-interactive"], this.root, env);
  }

  /** Runs the CLI as `npm run pulumi` does: the lock of a run that was killed is in nobody's way. */
  async run(args: readonly string[], env: NodeJS.ProcessEnv = this.env): Promise<CliResult> {
    await clearKilledRuns(join(this.root, ".local/pulumi/backend"));
    return this.start(args, env).ended;
  }

  /**
   * Runs `npm run NAME -- ARGS` of this project: scripts know their project by where they lie, so they are copied here.
   * The CLI that a script runs gets its environment from the script itself, as a person's does.
   */
  async script(name: string, ...args: readonly string[]): Promise<CliResult> {
    await copyScripts(this.root, this.emulator.address.data);
    const { PULUMI_STACK: _stack, ...env } = this.env;
    return run(process.execPath, [`scripts/${name}.ts`, ...args], this.root, env).ended;
  }

  /** A plain up, as a person's CI would run it. */
  async tryUp(): Promise<CliResult> {
    return this.run(["up", "--yes", "--skip-preview"]);
  }

  /** An up that has to succeed; throws what the CLI printed when it does not. */
  async up(): Promise<string> {
    return outputOf("up", await this.tryUp());
  }

  async preview(...args: string[]): Promise<string> {
    return outputOf("preview", await this.run(["preview", ...args]));
  }

  async destroy(): Promise<string> {
    return outputOf("destroy", await this.run(["destroy", "--yes", "--skip-preview"]));
  }

  /** Steps of the last update by kind, as the CLI counts them: { same: 16 }. */
  async lastChanges(): Promise<Record<string, number>> {
    const { output } = await this.run(["stack", "history", "--json", "--page-size", "1"]);
    const [last] = JSON.parse(output) as { resourceChanges?: Record<string, number> }[];
    return last?.resourceChanges ?? {};
  }

  /** Resources in the state by type and name, with their outputs. */
  async resources(): Promise<StateResource[]> {
    const { output } = await this.run(["stack", "export"]);
    const { deployment } = JSON.parse(output) as { deployment: { resources?: StateResource[] } };
    return deployment.resources ?? [];
  }

  async resource(type: string): Promise<StateResource> {
    const found = (await this.resources()).find((resource) => resource.type.endsWith(`:${type}`));
    if (found === undefined) throw new Error(`the state has no ${type}`);
    return found;
  }

  /** What the local Vertex AI and Cloud Storage hold. */
  async cloud() {
    return emulatorState(this.emulator.address);
  }

  /**
   * kill -9 of a running CLI. Its language host outlives it for ever, a fault of Pulumi's own that this project can't mend,
   * and is ended here; the providers are left to end by themselves.
   */
  async killCli(pid: number): Promise<void> {
    const hosts = await this.languageHosts(pid);
    process.kill(pid, "SIGKILL");
    for (const host of hosts) process.kill(host, "SIGKILL");
  }

  /** Language hosts that a running CLI has started. */
  async languageHosts(cli: number): Promise<number[]> {
    const threads = await readdir(`/proc/${cli}/task`);
    const children = await Promise.all(
      threads.map((thread) => readFile(`/proc/${cli}/task/${thread}/children`, "utf8")),
    );
    const pids = children.join(" ").trim().split(/ +/).filter(Boolean).map(Number);
    const commands = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
    );
    return pids.filter((_pid, index) => commands[index]?.includes("pulumi-language-nodejs"));
  }

  /** Processes of the dynamic providers that work in this project. */
  async providerProcesses(): Promise<number[]> {
    return this.#processesOf("dynamic-provider");
  }

  /** Node processes that a run in this project started: the program and its dynamic providers. */
  async nodeProcesses(): Promise<number[]> {
    return this.#processesOf("@pulumi/pulumi/cmd/");
  }

  async #processesOf(part: string): Promise<number[]> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
    const found = await Promise.all(
      pids.map(async (pid) => {
        const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
        const folder = await readlink(`/proc/${pid}/cwd`).catch(() => "");
        return command.includes(part) && folder === this.root ? [pid] : [];
      }),
    );
    return found.flat();
  }

  async remove(): Promise<void> {
    if (!this.#isGuest) await this.emulator.stop();
    await rm(this.root, { recursive: true, force: true });
  }
}

function outputOf(command: string, { code, output }: CliResult): string {
  if (code === 0) return output;
  // What went wrong comes first, since a long message is cut.
  const diagnostics = /^Diagnostics:\n(?:[ \t].*\n|\n)*/m.exec(output)?.[0] ?? "";
  throw new Error(`pulumi ${command} ended with status ${code}:\n${diagnostics}${output}`);
}

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
  });
  return {
    pid: child.pid ?? -1,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** What it has printed so far. */
    output: () => output,
    ended,
  };
}

export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

async function copySources(root: string, handler: "light" | "real"): Promise<void> {
  await cp(join(PROJECT_ROOT, "Pulumi.yaml"), join(root, "Pulumi.yaml"));
  for (const name of ["index.ts", "components", "providers", "node_modules", "package.json"]) {
    await symlink(join(PROJECT_ROOT, name), join(root, name));
  }
  if (handler === "real") {
    await cp(join(PROJECT_ROOT, "handler"), join(root, "handler"), { recursive: true });
    await cp(join(PROJECT_ROOT, "weights.lock.json"), join(root, "weights.lock.json"));
    return;
  }
  await cp(join(PROJECT_ROOT, "test/fixtures/light-handler"), join(root, "handler"), {
    recursive: true,
  });
  await mkdir(join(root, "weights"));
  await writeFile(join(root, "weights/model_index.json"), "{}\n");
  writeLock(root, "weights");
}

/** The scripts, what they use of the emulator's folder, and the address where `npm run emulator` writes it. */
async function copyScripts(root: string, emulatorData: string): Promise<void> {
  await cp(join(PROJECT_ROOT, "scripts"), join(root, "scripts"), { recursive: true });
  for (const [link, target] of [
    ["emulator", join(PROJECT_ROOT, "emulator")],
    [".local/emulator", emulatorData],
  ] as const) {
    await rm(join(root, link), { force: true });
    await symlink(target, join(root, link));
  }
}
