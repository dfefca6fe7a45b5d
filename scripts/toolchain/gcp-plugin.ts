import { lstat, mkdir, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { cacheFolder, cacheKey, ensure } from "./cache.ts";
import { requireCommand } from "./command.ts";
import { localPaths, standInFolder } from "./environment.ts";
import type { Plan } from "./plan.ts";
import { pinnedGcpVersion, PROJECT_ROOT } from "./project.ts";
import type { PulumiCli } from "./pulumi-bundle.ts";
import { waitingFor } from "./lock.ts";
import { machineParts } from "./pypi.ts";
import { isReachable } from "./reachable.ts";
import type { Report } from "./report.ts";
import { UserError } from "./user-error.ts";

/** What serves the `gcp` resources of a local stack. */
export type GcpPlugin =
  | {
      readonly kind: "official";
      /** The plugin's own folder, `.../resource-gcp-v<version>`. */
      readonly path: string;
    }
  | {
      readonly kind: "stand-in";
      /** The folder of the program, for PATH. */
      readonly path: string;
      /** Why the official one is not used. */
      readonly why: string;
    };

/** Where the official plugin would come from. */
export type GcpPluginSource =
  | { readonly kind: "official"; readonly path: string }
  | { readonly kind: "download" }
  | { readonly kind: "stand-in"; readonly why: string };

/** What is known about this machine before the plugin is chosen. */
export interface GcpPluginFacts {
  /** VERTEX_DIFFUSION_GCP_PLUGIN */
  readonly forced?: string | undefined;
  /** Folder of an official plugin of the pinned version. */
  readonly official?: string | undefined;
  readonly allowDownload: boolean;
  readonly isDownloadHostReachable: boolean;
}

const DOWNLOAD_URL = "https://get.pulumi.com/";
const PROGRAM = "pulumi-resource-gcp";

/**
 * The official plugin where it is or can be had, else the stand-in.
 *
 * @throws UserError when VERTEX_DIFFUSION_GCP_PLUGIN asks for what can't be had, or is misspelt.
 */
export function chooseGcpPlugin(facts: GcpPluginFacts, version: string): GcpPluginSource {
  const { forced = "", official, allowDownload, isDownloadHostReachable } = facts;
  if (forced === "stand-in") {
    return { kind: "stand-in", why: 'VERTEX_DIFFUSION_GCP_PLUGIN is "stand-in"' };
  }
  if (forced !== "" && forced !== "official") {
    throw new UserError(
      `VERTEX_DIFFUSION_GCP_PLUGIN is "${forced}": set it to "official" or "stand-in", or unset it.`,
    );
  }
  if (official !== undefined) {
    return { kind: "official", path: official };
  }
  const mayDownload = allowDownload || forced === "official";
  if (mayDownload && isDownloadHostReachable) {
    return { kind: "download" };
  }
  const why = mayDownload
    ? `the official gcp plugin ${version} is not installed and get.pulumi.com can't be reached`
    : `the official gcp plugin ${version} is not installed`;
  if (forced === "official") {
    throw new UserError(
      `VERTEX_DIFFUSION_GCP_PLUGIN asks for the official plugin, but ${why}. Install it with ` +
        `"npm run pulumi -- plugin install resource gcp ${version}", or unset the variable to use the stand-in.`,
    );
  }
  return { kind: "stand-in", why };
}

/** What `findGcpPlugin` would do, without doing it. */
export function describeGcpPlugin(source: GcpPluginSource, version: string): Plan {
  const what = `gcp plugin ${version}`;
  switch (source.kind) {
    case "official":
      return { what, how: `installed in ${source.path}`, cost: null };
    case "download":
      // Size as released, not measured here.
      return { what, how: "official download", cost: { downloadMb: 60, diskMb: 250, minutes: 1 } };
    case "stand-in":
      return { what, how: `the local stand-in, because ${source.why}`, cost: null };
  }
}

/** Says where the plugin would come from and what that costs; downloads nothing. */
export async function planGcpPlugin(options: { allowDownload: boolean }): Promise<Plan> {
  const version = await pinnedGcpVersion();
  return describeGcpPlugin(
    chooseGcpPlugin(await gatherFacts(version, options.allowDownload), version),
    version,
  );
}

/**
 * Finds what serves the `gcp` resources of a local stack: the official plugin of the installed
 * @pulumi/gcp (the user's, ours, or downloaded into our cache when that is allowed), else the
 * stand-in.
 *
 * @throws UserError when VERTEX_DIFFUSION_GCP_PLUGIN asks for what can't be had.
 */
export async function findGcpPlugin(
  report: Report,
  options: { readonly allowDownload: boolean; readonly cli: PulumiCli },
): Promise<GcpPlugin> {
  const version = await pinnedGcpVersion();
  const facts = await gatherFacts(version, options.allowDownload);
  const source = chooseGcpPlugin(facts, version);
  if (source.kind === "official") {
    return source;
  }
  if (source.kind === "stand-in") {
    return { kind: "stand-in", path: standInFolder(PROJECT_ROOT), why: source.why };
  }
  try {
    return { kind: "official", path: await downloadPlugin(options.cli, version, report) };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    if (facts.forced === "official") {
      throw new UserError(
        `Could not download the official gcp plugin ${version}: ${why}. Install it by hand, or unset ` +
          `VERTEX_DIFFUSION_GCP_PLUGIN to use the stand-in.`,
        { cause: error },
      );
    }
    return {
      kind: "stand-in",
      path: standInFolder(PROJECT_ROOT),
      why: `the download of the official gcp plugin ${version} did not come through`,
    };
  }
}

/**
 * Prepares the Pulumi home and backend of local stacks: makes their folders, and shows the CLI the
 * official plugin (or takes it away again, for the stand-in). The CLI overlooks a plugin folder that is itself
 * a link, so the folder is made and its files are linked.
 */
export async function prepareLocalHome(
  root: string,
  plugin: GcpPlugin,
  localFolder?: string,
): Promise<void> {
  const { backend, home } = localPaths(root, localFolder);
  const plugins = join(home, "plugins");
  await Promise.all([backend, plugins].map((folder) => mkdir(folder, { recursive: true })));
  const name = pluginFolderName(await pinnedGcpVersion());
  const linked = join(plugins, name);
  const program = await lstat(join(linked, PROGRAM)).catch(() => undefined);
  if (program !== undefined && !program.isSymbolicLink()) {
    return; // installed there by hand; on PATH, the stand-in goes before it
  }
  if (plugin.kind === "stand-in") {
    await rm(linked, { recursive: true, force: true });
    return;
  }
  await mkdir(linked, { recursive: true });
  for (const file of await readdir(plugin.path)) {
    await rm(join(linked, file), { force: true });
    await symlink(join(plugin.path, file), join(linked, file));
  }
}

async function gatherFacts(version: string, allowDownload: boolean): Promise<GcpPluginFacts> {
  const forced = process.env["VERTEX_DIFFUSION_GCP_PLUGIN"];
  if (forced === "stand-in") {
    return { forced, allowDownload, isDownloadHostReachable: false };
  }
  const official = await findOfficial(version);
  // Asked only where the answer counts: on a network that drops packets it takes seconds.
  const isAsked = official === undefined && (allowDownload || forced === "official");
  const isDownloadHostReachable = isAsked && (await isReachable(DOWNLOAD_URL));
  return { forced, official, allowDownload, isDownloadHostReachable };
}

async function findOfficial(version: string): Promise<string | undefined> {
  const userHome = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
  const name = pluginFolderName(version);
  for (const path of [
    join(userHome, "plugins", name),
    join(cacheFolder(), pluginKey(version), name),
  ]) {
    const program = await stat(join(path, PROGRAM)).catch(() => undefined);
    if (program?.isFile() === true) {
      return path;
    }
  }
  return undefined;
}

async function downloadPlugin(cli: PulumiCli, version: string, report: Report): Promise<string> {
  const name = pluginFolderName(version);
  const folder = await ensure(cacheFolder(), pluginKey(version), {
    onWait: (holder) => report.note(waitingFor("the gcp plugin", holder?.pid)),
    build: async (temporary) => {
      const home = join(temporary, "home");
      const step = report.step(`Downloading gcp plugin ${version}`);
      try {
        const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
        await requireCommand(
          join(cli.bin, "pulumi"),
          ["plugin", "install", "resource", "gcp", version],
          { env, onLine: (line) => step.update(line.trim()) },
        );
        await rename(join(home, "plugins", name), join(temporary, name));
        await rm(home, { recursive: true, force: true });
      } catch (error) {
        step.fail("not downloaded");
        throw error;
      }
      step.done();
    },
  });
  return join(folder, name);
}

function pluginFolderName(version: string): string {
  return `resource-gcp-v${version}`;
}

function pluginKey(version: string): string {
  return cacheKey("gcp-plugin", { version, ...machineParts() });
}
