import { realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, delimiter, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { cacheFolder, cacheKey, readParts } from "./cache.ts";
import { findGo, GO_MODULE_FOLDERS } from "./go.ts";
import type { GoSource } from "./go.ts";
import type { Plan } from "./plan.ts";
import { pinnedPulumiVersion, TOOLCHAIN_FOLDER } from "./project.ts";
import { hasPrograms, isWholeCli, readVersion } from "./pulumi-bundle.ts";
import type { PulumiCli } from "./pulumi-bundle.ts";
import { buildPulumi, downloadPulumi } from "./pulumi-make.ts";
import { machineParts } from "./pypi.ts";
import { isReachable } from "./reachable.ts";
import type { Report } from "./report.ts";
import { UserError } from "./user-error.ts";

export type { PulumiCli } from "./pulumi-bundle.ts";

/** Where the CLI comes from on this machine. */
export type PulumiSource =
  | { readonly kind: "override" | "installed" | "cached"; readonly root: string }
  | { readonly kind: "download" }
  | { readonly kind: "build"; readonly go: GoSource };

/** What is known about this machine before the source of the CLI is chosen. */
export interface PulumiFacts {
  /** Root of the CLI that VERTEX_DIFFUSION_PULUMI names. */
  readonly override?: string | undefined;
  /** Root of an installed CLI of exactly the pinned version. */
  readonly installed?: string | undefined;
  /** Root of the CLI in our cache. */
  readonly cached?: string | undefined;
  readonly isDownloadHostReachable: boolean;
  readonly go: GoSource;
}

/** The host of the official download; asked with a short timeout before it is relied on. */
const DOWNLOAD_URL = "https://get.pulumi.com/install.sh";

/** The first source that serves: what is there before what must be made, official before built. */
export function choosePulumi(facts: PulumiFacts): PulumiSource {
  if (facts.override !== undefined) {
    return { kind: "override", root: facts.override };
  }
  if (facts.installed !== undefined) {
    return { kind: "installed", root: facts.installed };
  }
  if (facts.cached !== undefined) {
    return { kind: "cached", root: facts.cached };
  }
  return facts.isDownloadHostReachable ? { kind: "download" } : { kind: "build", go: facts.go };
}

/** What `findPulumi` would do, without doing it. */
export function describePulumi(source: PulumiSource, version: string): Plan {
  const what = `Pulumi CLI ${version}`;
  switch (source.kind) {
    case "override":
      return { what, how: `VERTEX_DIFFUSION_PULUMI, in ${source.root}`, cost: null };
    case "installed":
      return { what, how: `installed in ${source.root}`, cost: null };
    case "cached":
      return { what, how: `kept in ${source.root}`, cost: null };
    case "download":
      // Size as released, not measured here.
      return {
        what,
        how: "official download",
        cost: { downloadMb: 150, diskMb: 500, minutes: 1 },
      };
    case "build": {
      const isFromPypi = source.go.kind === "pypi";
      const how = isFromPypi
        ? "get.pulumi.com can't be reached, so built from Go modules, with Go from PyPI"
        : "get.pulumi.com can't be reached, so built from Go modules";
      // Measured: 308 MB of modules, two programs of 133 MB; uv and Go 93 MB. The modules and Go go again.
      return {
        what,
        how,
        cost: {
          downloadMb: isFromPypi ? 405 : 310,
          diskMb: 135,
          minutes: 5,
        },
      };
    }
  }
}

/** Says where the CLI would come from and what that costs; downloads nothing. */
export async function planPulumi(): Promise<Plan> {
  return describePulumi(choosePulumi(await gatherFacts()), await pinnedPulumiVersion());
}

/**
 * Finds the pinned Pulumi CLI, or makes it in the user's cache.
 *
 * @throws UserError when VERTEX_DIFFUSION_PULUMI names no CLI.
 */
export async function findPulumi(report: Report): Promise<PulumiCli> {
  const source = choosePulumi(await gatherFacts());
  switch (source.kind) {
    case "override":
    case "installed":
    case "cached":
      return toCli(source.root);
    case "download":
    case "build":
      return toCli(await makePulumi(source, report));
  }
}

function toCli(root: string): PulumiCli {
  return { root, bin: join(root, "bin") };
}

async function makePulumi(
  source: Extract<PulumiSource, { kind: "download" | "build" }>,
  report: Report,
): Promise<string> {
  const cache = cacheFolder();
  const version = await pinnedPulumiVersion();
  const key = await pulumiKey();
  if (source.kind === "build") {
    return buildPulumi({ cache, key, version, go: source.go, report });
  }
  try {
    return await downloadPulumi({ cache, key, version, report });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    report.note(`The official download did not come through (${why}); building the CLI instead.`);
    return buildPulumi({ cache, key, version, go: await findGo(), report });
  }
}

async function gatherFacts(): Promise<PulumiFacts> {
  const unneeded = { isDownloadHostReachable: false, go: { kind: "pypi" } } as const;
  const override = await findOverride(process.env["VERTEX_DIFFUSION_PULUMI"]);
  if (override !== undefined) {
    return { ...unneeded, override };
  }
  const cachedRoot = join(cacheFolder(), await pulumiKey());
  const cached = (await isWholeCli(join(cachedRoot, "bin"))) ? cachedRoot : undefined;
  const installed = await findInstalled(await pinnedPulumiVersion());
  if (installed !== undefined || cached !== undefined) {
    return { ...unneeded, installed, cached };
  }
  const [isDownloadHostReachable, go] = await Promise.all([isReachable(DOWNLOAD_URL), findGo()]);
  return { isDownloadHostReachable, go };
}

async function pulumiKey(): Promise<string> {
  const version = await pinnedPulumiVersion();
  const modules = await Promise.all(
    GO_MODULE_FOLDERS.map(async (folder) => {
      const path = join(TOOLCHAIN_FOLDER, folder);
      return [
        folder,
        JSON.stringify(await readParts([join(path, "go.mod"), join(path, "go.sum")])),
      ];
    }),
  );
  return cacheKey("pulumi", { ...Object.fromEntries(modules), version, ...machineParts() });
}

/** Root of the CLI that the variable names: the program itself, its folder, or the folder above. */
async function findOverride(value: string | undefined): Promise<string | undefined> {
  if (value === undefined || value === "") {
    return undefined;
  }
  const path = resolve(value);
  for (const bin of [dirname(path), path, join(path, "bin")]) {
    if (basename(bin) === "bin" && (await hasPrograms(bin, ["pulumi", "pulumi-language-nodejs"]))) {
      return dirname(bin);
    }
  }
  throw new UserError(
    `VERTEX_DIFFUSION_PULUMI names "${value}", where there is no Pulumi CLI with pulumi-language-nodejs ` +
      `beside it in a folder "bin". Correct it, or unset it to have the pinned CLI found or made.`,
  );
}

async function findInstalled(version: string): Promise<string | undefined> {
  for (const bin of await installedFolders(version)) {
    if ((await isWholeCli(bin)) && (await readVersion(join(bin, "pulumi"))) === `v${version}`) {
      return dirname(bin);
    }
  }
  return undefined;
}

/**
 * Folders that may hold an installed CLI. Those of npm packages are left out: the `pulumi` there is
 * a script that downloads the CLI when it is asked for its version.
 */
async function installedFolders(version: string): Promise<string[]> {
  const home = join(homedir(), ".pulumi");
  const folders = [join(home, "versions", version, "bin"), join(home, "bin")];
  for (const entry of (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute)) {
    const program = await realpath(join(entry, "pulumi")).catch(() => undefined);
    if (program !== undefined && !program.split(sep).includes("node_modules")) {
      folders.push(dirname(program));
    }
  }
  return [...new Set(folders)].filter((folder) => basename(folder) === "bin");
}
