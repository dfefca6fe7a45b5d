import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  PACKAGES_LOCK,
  REQUIREMENTS,
  hashRequirements,
  listRequirements,
  parsePackagesLock,
} from "../../components/packages-lock.ts";
import { listIndexFiles, packageIndex } from "../../providers/package-index.ts";
import type { IndexFile } from "../../providers/package-index.ts";
import { ensureWheels } from "../../providers/packages.ts";
import type { LockedWheel, PackagesLock } from "../../providers/packages.ts";
import { cacheFolder } from "../toolchain/cache.ts";
import { ensureUv, findBasePython } from "../toolchain/pypi.ts";
import type { Report } from "../toolchain/report.ts";
import { UserError } from "../toolchain/user-error.ts";
import type { LockResult } from "./result.ts";
import { GLIBC_MINOR, proveComplete, resolveVersions } from "./resolve.ts";
import type { Resolver, Versions } from "./resolve.ts";
import { chooseWheel } from "./wheels.ts";

/** The prebuilt image's Python first: the versions that suit it are taken for the others where they can be. */
export const PYTHONS = ["3.9", "3.10", "3.11"] as const;

/** What the image brings, with all that only they need: too large to pack, and built for its CUDA. */
export const IMAGE_PACKAGES = ["numpy", "torch"] as const;

export interface LockPackagesOptions {
  /** The project's folder. */
  readonly root: string;
  /** The handler's folder, relative to it. */
  readonly handler: string;
  /** Takes the newest versions instead of those of the lock that is there. */
  readonly upgrade: boolean;
}

/** A release whose wheels are being chosen. */
type Release = Pick<LockedWheel, "name" | "version">;

/**
 * Resolves a handler's requirements.in for every Python, chooses the wheels, proves that they are complete and writes
 * packages.lock. The same requirements and index give the same file.
 *
 * @throws UserError when a lock has no requirements beside it, they can't be met or a wheel is missing.
 */
export async function lockPackages(
  { root, handler, upgrade }: LockPackagesOptions,
  report: Report,
): Promise<LockResult> {
  const lock = join(handler, PACKAGES_LOCK);
  const requirements = join(root, handler, REQUIREMENTS);
  const before = await readFile(join(root, lock), "utf8").catch(() => "");
  const text = await readFile(requirements, "utf8").catch(() => undefined);
  if (text === undefined && before === "") {
    return {
      lock,
      changed: false,
      summary: `no ${REQUIREMENTS}, so the archive brings no packages`,
    };
  }
  if (text === undefined) {
    throw new UserError(
      `Could not lock the packages of "${handler}": it has no ${REQUIREMENTS} beside its ${PACKAGES_LOCK}. Write one, or delete the lock.`,
    );
  }
  const option = listRequirements(text).find((line) => line.startsWith("-"));
  if (option !== undefined) {
    throw new UserError(
      `Could not lock the packages of "${handler}": its ${REQUIREMENTS} has "${option}", and a preview could not see what changes there. List requirements alone.`,
    );
  }
  const base = await findBasePython();
  const uv = await ensureUv(cacheFolder(), base, report);
  const folder = await mkdtemp(join(tmpdir(), "packages-lock-"));
  const step = report.step(`Locking the packages of ${handler}`);
  try {
    const resolver: Resolver = {
      ...{ uv, interpreter: base.path, requirements, folder },
      image: IMAGE_PACKAGES,
    };
    step.update("resolving");
    const versions = await resolveAll(resolver, upgrade ? "" : before);
    step.update("choosing wheels");
    const wheels = await chooseWheels(versions, (line) => step.update(line));
    step.update("proving that they are complete");
    for (const python of PYTHONS) {
      const ofPython = wheels.locked.filter(({ pythons }) => pythons.includes(python));
      await proveComplete(resolver, python, ofPython, wheels.paths);
    }
    const made: PackagesLock = {
      schema: 1,
      requirements: hashRequirements(text),
      image: listRequirements(text).filter(isOfImage),
      pythons: PYTHONS,
      wheels: wheels.locked,
    };
    const after = formatLock(made);
    if (after !== before) await writeFile(join(root, lock), after);
    step.done();
    return { lock, changed: after !== before, summary: summarise(made) };
  } catch (error) {
    step.fail("not locked");
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function isOfImage(requirement: string): boolean {
  const name = /^[\w.-]+/.exec(requirement)?.[0] ?? "";
  return (IMAGE_PACKAGES as readonly string[]).includes(normalise(name));
}

function normalise(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

/** The versions of every Python. Each keeps to those of the lock that was there, else to those of the Python before it. */
async function resolveAll(
  resolver: Resolver,
  before: string,
): Promise<ReadonlyMap<string, Versions>> {
  const locked = parsePackagesLock(before)?.wheels ?? [];
  const found = new Map<string, Versions>();
  let preferred: Versions = new Map();
  for (const python of PYTHONS) {
    const kept = locked.filter(({ pythons }) => pythons.includes(python));
    const { all, beyondImage } = await resolveVersions(
      resolver,
      python,
      new Map([...preferred, ...kept.map(({ name, version }) => [name, version] as const)]),
    );
    found.set(python, beyondImage);
    preferred = all;
  }
  return found;
}

async function chooseWheels(
  versions: ReadonlyMap<string, Versions>,
  onProgress: (line: string) => void,
): Promise<{
  readonly locked: readonly LockedWheel[];
  readonly paths: ReadonlyMap<string, string>;
}> {
  const chosen = new Map<string, { release: Release; file: IndexFile; pythons: string[] }>();
  const index = packageIndex();
  const projects = new Map<string, Promise<readonly IndexFile[]>>();
  for (const [python, releases] of versions) {
    for (const name of releases.keys()) {
      if (!projects.has(name)) projects.set(name, listIndexFiles(index, name));
    }
    for (const [name, version] of releases) {
      const files = filesOf((await projects.get(name)) ?? [], name, version);
      const wheel = chooseWheel([...files.keys()], python, GLIBC_MINOR);
      const file = files.get(wheel ?? "");
      if (wheel === undefined || file?.sha256 === undefined) {
        throw new UserError(
          `Could not lock "${name}" ${version}: the index has no wheel with a SHA-256 for Python ${python} on Linux x86_64 with glibc 2.${GLIBC_MINOR}. Ask for another version in ${REQUIREMENTS}.`,
        );
      }
      const known = chosen.get(wheel) ?? { release: { name, version }, file, pythons: [] };
      known.pythons.push(python);
      chosen.set(wheel, known);
    }
  }
  const ids = [...chosen].map(([wheel, { release, file }]) => ({
    name: release.name,
    wheel,
    sha256: file.sha256 ?? "",
  }));
  const paths = await ensureWheels(ids, onProgress);
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  const locked = [...chosen].map(([wheel, { release, file, pythons }], at) => ({
    ...release,
    wheel,
    size: sizes[at] ?? 0,
    sha256: file.sha256 ?? "",
    pythons,
  }));
  locked.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  return { locked, paths: new Map(ids.map(({ wheel }, at) => [wheel, paths[at] ?? ""])) };
}

function sortKey({ name, wheel }: LockedWheel): string {
  return `${name} ${wheel}`;
}

/** The files of one release by their names. */
function filesOf(
  files: readonly IndexFile[],
  name: string,
  version: string,
): ReadonlyMap<string, IndexFile> {
  const prefix = `${name}-${version}-`;
  const own = files.filter((file) => {
    const [project = "", release = ""] = file.name.split("-");
    return `${normalise(project)}-${release}-` === prefix;
  });
  return new Map(own.map((file) => [file.name, file]));
}

/** One wheel a line, so that a change reads well. */
function formatLock({ wheels, ...head }: PackagesLock): string {
  const lines = wheels.map((wheel) => `    ${JSON.stringify(wheel)}`);
  const start = Object.entries({ "//": 'Written by "npm run lock".', ...head }).map(
    ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`,
  );
  return `{\n${start.join("")}  "wheels": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

function summarise({ wheels, pythons }: PackagesLock): string {
  const bytes = wheels.reduce((sum, { size }) => sum + size, 0);
  const packages = new Set(wheels.map(({ name }) => name)).size;
  return `${packages} packages in ${wheels.length} wheels, ${(bytes / 1e6).toFixed(1)} MB, for Python ${pythons.join(", ")}`;
}
