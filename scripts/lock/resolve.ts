import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LockedWheel } from "../../providers/packages.ts";
import { CommandError, requireCommand } from "../toolchain/command.ts";
import { UserError } from "../toolchain/user-error.ts";

/** Versions by normalised project name. */
export type Versions = ReadonlyMap<string, string>;

/** The oldest C library that an image may have: 2.17 (manylinux2014), which PyTorch's own wheels ask for. */
export const GLIBC_MINOR = 17;

/** What resolves: the pinned uv, for one Python on Linux x86_64. */
export interface Resolver {
  readonly uv: string;
  /** Any Python: uv starts one, whatever it resolves for, and would look for it. */
  readonly interpreter: string;
  /** The requirements.in. */
  readonly requirements: string;
  /** Packages that the image has: they take part in the resolve and are left out of its result, with what only they need. */
  readonly image: readonly string[];
  /** An empty folder for what uv reads and writes. */
  readonly folder: string;
}

/**
 * The packages beyond the image's that the requirements come to on a Python: newest versions, but those in `preferred`
 * where they fit.
 *
 * @returns all versions, and those beyond the image.
 */
export async function resolveVersions(
  resolver: Resolver,
  python: string,
  preferred: Versions,
): Promise<{ readonly all: Versions; readonly beyondImage: Versions }> {
  const everything = join(resolver.folder, `all-${python}.txt`);
  await writeFile(everything, formatVersions(preferred));
  // uv keeps to the versions that it finds in the file that it writes.
  await compile(resolver, python, ["--output-file", everything]);
  const all = parseVersions(await readFile(everything, "utf8"));
  // The image's packages chose with the others; now only what is left without them.
  const constrained = ["--constraints", everything, "--excludes", await writeImage(resolver)];
  return { all, beyondImage: parseVersions(await compile(resolver, python, constrained)) };
}

/**
 * Resolves once more over nothing but the given wheels, without a network: whatever is missing, too new or for another
 * machine fails.
 *
 * @param paths where each wheel is.
 */
export async function proveComplete(
  resolver: Resolver,
  python: string,
  wheels: readonly LockedWheel[],
  paths: ReadonlyMap<string, string>,
): Promise<void> {
  const links = join(resolver.folder, `wheels-${python}`);
  await mkdir(links);
  for (const { wheel } of wheels) await symlink(paths.get(wheel) ?? "", join(links, wheel));
  const offline = ["--offline", "--no-index", "--no-cache", "--find-links", links];
  const excluded = ["--excludes", await writeImage(resolver)];
  const found = parseVersions(await compile(resolver, python, [...offline, ...excluded]));
  const wanted = new Map(wheels.map(({ name, version }) => [name, version]));
  if (formatVersions(found) !== formatVersions(wanted)) {
    throw new Error(
      `the wheels chosen for Python ${python} resolve to other versions:\n${formatVersions(found)}`,
    );
  }
}

async function writeImage({ folder, image }: Resolver): Promise<string> {
  const path = join(folder, "image.txt");
  await writeFile(path, `${image.join("\n")}\n`);
  return path;
}

async function compile(
  { uv, interpreter, requirements }: Resolver,
  python: string,
  args: readonly string[],
): Promise<string> {
  const target = [
    ...["--python", interpreter, "--python-version", python],
    ...["--python-platform", `x86_64-manylinux_2_${GLIBC_MINOR}`, "--only-binary", ":all:"],
  ];
  const plain = ["--quiet", "--no-header", "--no-annotate", "--no-progress"];
  try {
    return (
      await requireCommand(uv, ["pip", "compile", requirements, ...target, ...plain, ...args])
    ).stdout;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const why = error.result.stderr.trim();
    throw new UserError(`Could not resolve "${requirements}" for Python ${python}:\n${why}`);
  }
}

/** What uv prints: one NAME==VERSION a line. */
export function parseVersions(text: string): Versions {
  const lines = [...text.matchAll(/^([a-z0-9-]+)==(\S+)/gm)];
  return new Map(lines.map(([, name = "", version = ""]) => [name, version]));
}

export function formatVersions(versions: Versions): string {
  return [...versions]
    .map(([name, version]) => `${name}==${version}\n`)
    .sort()
    .join("");
}
