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
import { localEnvironment } from "../../toolchain/environment.ts";
import { findGcpPlugin, prepareLocalHome } from "../../toolchain/gcp-plugin.ts";
import { PROJECT_ROOT } from "../../toolchain/project.ts";
import { findPulumi } from "../../toolchain/pulumi-cli.ts";
import { silentReport } from "../../toolchain/report.ts";
import type { Subject } from "../emulator/subject.ts";
import { LOCATION, PROJECT } from "../emulator/subject.ts";
import { readPeakMemoryMiB } from "../machine.ts";

const HANDLER = join(import.meta.dirname, "../emulator/sized-handler.py");
const LOOK_MS = 100;

/** What a run of the CLI took. */
export interface CliRun {
  readonly ms: number;
  /** The most that one of its dynamic providers has held, MiB, seen every 100 ms; undefined where the system does not say. */
  readonly providerPeakMiB: number | undefined;
}

/** The real program with weights of its own, in a folder and a backend of its own, on the emulator that is measured. */
export class BenchStack {
  readonly root: string;
  readonly #cli: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(root: string, cli: string, env: NodeJS.ProcessEnv) {
    this.root = root;
    this.#cli = cli;
    this.#env = env;
  }

  /** `writeWeights` makes a pipeline's folder in the project's, and locks it. The handler computes nothing. */
  static async create(
    { address }: Subject,
    name: string,
    writeWeights: (root: string) => Promise<void>,
  ): Promise<BenchStack> {
    const root = await mkdtemp(join(tmpdir(), "bench-stack-"));
    await cp(join(PROJECT_ROOT, "Pulumi.yaml"), join(root, "Pulumi.yaml"));
    for (const part of ["index.ts", "components", "providers", "node_modules", "package.json"]) {
      await symlink(join(PROJECT_ROOT, part), join(root, part));
    }
    await mkdir(join(root, "handler"));
    await cp(HANDLER, join(root, "handler/handler.py"));
    const cli = await findPulumi(silentReport);
    const plugin = await findGcpPlugin(silentReport, { allowDownload: false, cli });
    const localFolder = join(root, ".local");
    await prepareLocalHome(root, plugin, localFolder);
    await mkdir(join(localFolder, "emulator"), { recursive: true });
    await writeFile(join(localFolder, "emulator/address.json"), JSON.stringify(address));
    const env = localEnvironment({
      root: PROJECT_ROOT,
      localFolder,
      cli,
      plugin,
      stack: name,
      address,
    });
    env["VERTEX_DIFFUSION_EMULATOR"] = join(localFolder, "emulator/address.json");
    const stack = new BenchStack(root, join(cli.bin, "pulumi"), env);
    await stack.set("archive");
    await writeWeights(root);
    await stack.run(["stack", "init", name]);
    await stack.set("archive");
    return stack;
  }

  /** Writes the stack file. */
  async set(weightsIn: "archive" | "artifact"): Promise<void> {
    const settings = {
      ...{ emulator: "true", container: "prebuilt", weights: "weights", weightsIn },
      ...{ dedicatedEndpoint: "false", forceDestroy: "true" },
    };
    const config: Record<string, string> = { "gcp:project": PROJECT, "gcp:region": LOCATION };
    for (const [name, value] of Object.entries(settings))
      config[`vertex-diffusion:${name}`] = value;
    const path = join(this.root, `Pulumi.${this.#env["PULUMI_STACK"] ?? ""}.yaml`);
    const before = await readFile(path, "utf8").catch(() => "");
    const salt = /^encryptionsalt: (.*)$/m.exec(before)?.[1];
    await writeFile(path, stringify({ config, ...(salt && { encryptionsalt: salt }) }));
  }

  /** Changes a line of the handler. */
  async changeHandler(): Promise<void> {
    const path = join(this.root, "handler/handler.py");
    await writeFile(path, `${await readFile(path, "utf8")}# Another line.\n`);
  }

  /** Runs the CLI to its end. Throws what it said when it fails. */
  async run(args: readonly string[]): Promise<CliRun> {
    const started = performance.now();
    const child = spawn(this.#cli, [...args, "--non-interactive"], {
      cwd: this.root,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    }
    let providerPeakMiB: number | undefined;
    const look = setInterval(() => {
      void this.#readProviderPeak().then((seen) => {
        if (seen !== undefined) providerPeakMiB = Math.max(seen, providerPeakMiB ?? 0);
      });
    }, LOOK_MS);
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", resolve);
      });
      if (code !== 0) throw new Error(`"pulumi ${args.join(" ")}" ended with ${code}:\n${output}`);
      return { ms: performance.now() - started, providerPeakMiB };
    } finally {
      clearInterval(look);
    }
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  /** The most that a dynamic provider that works in this folder has held so far. */
  async #readProviderPeak(): Promise<number | undefined> {
    const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
    let peak: number | undefined;
    for (const pid of pids) {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (!command.includes("dynamic-provider")) continue;
      if ((await readlink(`/proc/${pid}/cwd`).catch(() => "")) !== this.root) continue;
      const seen = await readPeakMemoryMiB(Number(pid));
      if (seen !== undefined) peak = Math.max(seen, peak ?? 0);
    }
    return peak;
  }
}
