import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensure, exists } from "./cache.ts";
import { CommandError, requireCommand } from "./command.ts";
import { ensureGo } from "./go.ts";
import type { GoSource } from "./go.ts";
import { waitingFor } from "./lock.ts";
import { PROJECT_ROOT, TOOLCHAIN_FOLDER } from "./project.ts";
import { isWholeCli, readVersion } from "./pulumi-bundle.ts";
import type { Report, Step } from "./report.ts";
import { UserError } from "./user-error.ts";

/** What making a CLI needs to know. */
export interface MakeOptions {
  /** The folder that holds everything we keep between clones. */
  readonly cache: string;
  /** Name of this CLI in the cache. */
  readonly key: string;
  /** Version without "v". */
  readonly version: string;
  readonly report: Report;
}

/** One Go program, its module folder here, and how it is built. */
interface GoProgram {
  readonly program: string;
  readonly folder: string;
  readonly package: string;
  readonly flags: readonly string[];
  /** Packages that the build compiles from nothing; only for the progress line. */
  readonly packages: number;
}

/**
 * The CLI and its Node.js language host, with the flags of Pulumi's own releases. The host is built
 * from sdk v3.60.1, the last line that contains it: not every module proxy serves the module that it
 * has moved to. It runs the current CLI and SDK, but no policy packs.
 */
function goPrograms(version: string): readonly GoProgram[] {
  const sdk = "github.com/pulumi/pulumi/sdk/v3";
  const flags = [
    "-tags=osusergo,grpcnotrace",
    `-ldflags=-w -s -X ${sdk}/go/common/version.Version=v${version}`,
  ];
  return [
    {
      program: "pulumi",
      folder: "pulumi-cli",
      package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      flags,
      packages: 1_680,
    },
    {
      program: "pulumi-language-nodejs",
      folder: "pulumi-language-nodejs",
      package: `${sdk}/nodejs/cmd/pulumi-language-nodejs`,
      flags,
      packages: 520,
    },
  ];
}

/**
 * Builds the CLI and its Node.js language host from Go modules into the cache and returns its root.
 * What an interrupted build has downloaded and compiled is used by the next one.
 *
 * @throws UserError when the modules can't be fetched.
 */
export async function buildPulumi(options: MakeOptions & { go: GoSource }): Promise<string> {
  const { cache, key, version, report } = options;
  const work = join(cache, `${key}.work`);
  const root = await ensure(cache, key, {
    onWait: (holder) => report.note(waitingFor("the Pulumi CLI", holder?.pid)),
    build: async (temporary) => {
      const go = options.go.kind === "path" ? options.go.go : await ensureGo(cache, work, report);
      const env = await goEnvironment(options.go, go, work);
      for (const program of goPrograms(version)) {
        await buildProgram(program, go, env, join(temporary, "bin"), report);
      }
      const bundled = "pulumi-resource-pulumi-nodejs";
      const source = join(PROJECT_ROOT, "node_modules/@pulumi/pulumi", bundled);
      await copyFile(source, join(temporary, "bin", bundled));
      await requireCli(join(temporary, "bin"), version);
    },
  });
  await rm(work, { recursive: true, force: true });
  return root;
}

/**
 * Downloads the official CLI, through the npm package `pulumi`, into the cache and returns its root.
 *
 * @throws when the download fails or brings another version.
 */
export async function downloadPulumi(options: MakeOptions): Promise<string> {
  const { cache, key, version, report } = options;
  const installer = join(PROJECT_ROOT, "node_modules/pulumi/run.js");
  return ensure(cache, key, {
    onWait: (holder) => report.note(waitingFor("the Pulumi CLI", holder?.pid)),
    build: async (temporary) => {
      const home = join(temporary, "home");
      const step = report.step(`Downloading Pulumi CLI ${version}`);
      try {
        const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
        await requireCommand(process.execPath, [installer, "version"], {
          env,
          onLine: (line) => step.update(line.trim()),
        });
        await rename(join(home, "versions", version, "bin"), join(temporary, "bin"));
        await rm(home, { recursive: true, force: true });
        await requireCli(join(temporary, "bin"), version);
      } catch (error) {
        step.fail("not downloaded");
        throw error;
      }
      step.done();
    },
  });
}

async function buildProgram(
  { program, folder, package: goPackage, flags, packages }: GoProgram,
  go: string,
  env: NodeJS.ProcessEnv,
  bin: string,
  report: Report,
): Promise<void> {
  const step = report.step(`Building ${program}`);
  const progress = new BuildProgress(step, packages);
  const args = ["build", "-v", "-trimpath", "-o", join(bin, program), ...flags, goPackage];
  try {
    await mkdir(bin, { recursive: true });
    await requireCommand(go, args, {
      cwd: join(TOOLCHAIN_FOLDER, folder),
      env,
      onLine: (line) => progress.read(line),
    });
  } catch (error) {
    step.fail("not built");
    throw explainBuildError(program, error);
  }
  step.done();
}

/** Counts what `go build -v` says: modules as they are fetched, then packages as they compile. */
export class BuildProgress {
  private downloaded = 0;
  private compiled = 0;
  private readonly step: Step;
  private readonly packages: number;

  constructor(step: Step, packages: number) {
    this.step = step;
    this.packages = packages;
  }

  read(line: string): void {
    if (line.startsWith("go: downloading ")) {
      this.downloaded += 1;
      this.step.update(`${this.downloaded} modules downloaded`);
    } else if (/^[\w.-]+(\/[^\s:]+)*$/.test(line)) {
      this.compiled += 1;
      this.step.update(`${this.compiled} of about ${this.packages} packages compiled`);
    }
  }
}

/**
 * The environment of the Go build: modules go to a folder that is removed afterwards and come from
 * the user's own module cache where it has them. A Go of the user's keeps using its build cache.
 */
async function goEnvironment(
  source: GoSource,
  go: string,
  work: string,
): Promise<NodeJS.ProcessEnv> {
  const { stdout } = await requireCommand(go, ["env", "-json", "GOPROXY", "GOMODCACHE", "GOCACHE"]);
  const user = JSON.parse(stdout) as { GOPROXY: string; GOMODCACHE: string; GOCACHE: string };
  const userModules = join(user.GOMODCACHE, "cache/download");
  const proxies = (await exists(userModules))
    ? `file://${userModules},${user.GOPROXY}`
    : user.GOPROXY;
  return {
    ...process.env,
    CGO_ENABLED: "0",
    GOCACHE: source.kind === "path" ? user.GOCACHE : join(work, "build"),
    GOFLAGS: "-modcacherw -buildvcs=false",
    GOMODCACHE: join(work, "modules"),
    GOPROXY: proxies,
    GOTOOLCHAIN: "local",
    GOWORK: "off",
  };
}

async function requireCli(bin: string, version: string): Promise<void> {
  if (!(await isWholeCli(bin))) {
    throw new Error(`The Pulumi CLI made in "${bin}" lacks one of its programs.`);
  }
  const found = await readVersion(join(bin, "pulumi"));
  if (found !== `v${version}`) {
    throw new Error(`The Pulumi CLI made is version "${found ?? "unknown"}", not "v${version}".`);
  }
}

const NETWORK_ERROR =
  /dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|\b(403 Forbidden|407 Proxy|502 Bad|503 Service)/;

function explainBuildError(program: string, error: unknown): unknown {
  if (error instanceof CommandError && NETWORK_ERROR.test(error.result.stderr)) {
    const line = error.result.stderr.split("\n").find((text) => NETWORK_ERROR.test(text)) ?? "";
    return new UserError(
      `Could not build ${program}: a Go module could not be fetched (${line.trim()}). Check the connection ` +
        `or set GOPROXY, or install Pulumi and set VERTEX_DIFFUSION_PULUMI to its folder.`,
    );
  }
  if (error instanceof CommandError && /no space left on device/.test(error.result.stderr)) {
    return new UserError(
      `Could not build ${program}: no space is left on the disk. It needs about 3 GB while it builds, in the ` +
        `user's cache folder; set XDG_CACHE_HOME to one on a larger disk.`,
    );
  }
  return error;
}
