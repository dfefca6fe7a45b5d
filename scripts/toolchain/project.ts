import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

/** The root of this checkout. */
export const PROJECT_ROOT = resolve(import.meta.dirname, "../..");

/** This folder: the locks and build files that everything here is made from. */
export const TOOLCHAIN_FOLDER = import.meta.dirname;

/** The version of the Pulumi CLI that this project is pinned to: its devDependency "pulumi". */
export async function pinnedPulumiVersion(root: string = PROJECT_ROOT): Promise<string> {
  const manifest = await readManifest(join(root, "package.json"));
  return requireText(manifest.devDependencies?.["pulumi"], "devDependencies.pulumi", root);
}

/** The version of the gcp plugin that goes with the installed @pulumi/gcp. */
export async function pinnedGcpVersion(root: string = PROJECT_ROOT): Promise<string> {
  const folder = join(root, "node_modules/@pulumi/gcp");
  const manifest = await readManifest(join(folder, "package.json"));
  return requireText(manifest.pulumi?.version, "pulumi.version", folder);
}

interface Manifest {
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly pulumi?: { readonly version?: string };
}

async function readManifest(path: string): Promise<Manifest> {
  return JSON.parse(await readFile(path, "utf8")) as Manifest;
}

function requireText(value: string | undefined, key: string, folder: string): string {
  if (value === undefined) {
    throw new Error(`package.json in "${folder}" has no ${key}.`);
  }
  return value;
}
