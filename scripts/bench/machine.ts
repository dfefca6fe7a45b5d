import { readFile, statfs, writeFile } from "node:fs/promises";
import {
  arch,
  availableParallelism,
  cpus,
  loadavg,
  release,
  tmpdir,
  totalmem,
  type,
} from "node:os";
import { join } from "node:path";
import { runCommand } from "../toolchain/command.ts";
import { PROJECT_ROOT } from "../toolchain/project.ts";

/** What a figure was measured on: without it no figure says anything. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** "Linux 6.1.0 x64" */
  readonly system: string;
  /** The folder that the run's files are in, and its file system: "/tmp (ext4)". */
  readonly disk: string;
  /** Processes that wanted a core in the minute before the run. */
  readonly load: number;
  /** By name: Node, packages, Python's packages. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Which versions matter for a benchmark. */
export interface VersionsOf {
  /** npm packages. */
  readonly npm: readonly string[];
  /** Python packages, and the interpreter that has them. */
  readonly python?: { readonly interpreter: string; readonly packages: readonly string[] };
}

/** `linux/magic.h` */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x0102_1994: "tmpfs",
  0x5846_5342: "xfs",
  0x9123_683e: "btrfs",
  0x794c_7630: "overlay",
  0x2fc1_2fc1: "zfs",
};

export async function describeMachine(versionsOf: VersionsOf): Promise<Machine> {
  const [processor] = cpus();
  return {
    cpu: processor?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    disk: await describeDisk(tmpdir()),
    load: loadavg()[0] ?? 0,
    versions: {
      Node: process.versions.node,
      ...(await npmVersions(versionsOf.npm)),
      ...(versionsOf.python === undefined ? {} : await pythonVersions(versionsOf.python)),
    },
  };
}

/** Two lines for a person, and a third when the machine was not idle. */
export function formatMachine(machine: Machine): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const { cpu, cores, memoryGiB, system, disk, load } = machine;
  const busy =
    load < cores / 4
      ? []
      : [
          `The machine was busy: ${load.toFixed(1)} processes wanted its ${cores} cores before the run. Trust ratios more than rates.`,
        ];
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB; ${system}; files in ${disk}`,
    versions.join(", "),
    ...busy,
  ].join("\n");
}

/**
 * The most memory that a process has held so far, or since `forgetPeakMemory`, MiB. Undefined where the system does not
 * say: it is Linux's VmHWM.
 */
export async function readPeakMemoryMiB(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return parsePeakMemoryMiB(status);
}

/** VmHWM of a /proc/PID/status, MiB. */
export function parsePeakMemoryMiB(status: string): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}

/** Lets `readPeakMemoryMiB` start again from what the process holds now; does nothing where that can't be done. */
export async function forgetPeakMemory(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5").catch(() => undefined);
}

async function describeDisk(folder: string): Promise<string> {
  const { type: magic } = await statfs(folder);
  return `${folder} (${FILE_SYSTEMS[magic] ?? `file system 0x${magic.toString(16)}`})`;
}

async function npmVersions(names: readonly string[]): Promise<Record<string, string>> {
  const entries = names.map(async (name) => {
    const path = join(PROJECT_ROOT, "node_modules", name, "package.json");
    const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
    return [name, version] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function pythonVersions({
  interpreter,
  packages,
}: NonNullable<VersionsOf["python"]>): Promise<Record<string, string>> {
  const program =
    "import importlib.metadata as m, json, platform, sys; " +
    "print(json.dumps({'Python': platform.python_version(), **{n: m.version(n) for n in sys.argv[1:]}}))";
  const { stdout } = await runCommand(interpreter, ["-c", program, ...packages]);
  return JSON.parse(stdout) as Record<string, string>;
}
