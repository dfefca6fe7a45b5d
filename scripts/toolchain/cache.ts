import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { withLock } from "./lock.ts";
import type { LockHolder } from "./lock.ts";

export { cacheFolder } from "../../providers/cache-folder.ts";

/** The name of one thing in the cache: `<what>-<12 hex of the hash of its parts>`. */
export function cacheKey(what: string, parts: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  for (const name of Object.keys(parts).sort()) {
    hash.update(JSON.stringify([name, parts[name]]));
  }
  return `${what}-${hash.digest("hex").slice(0, 12)}`;
}

/** The contents of some files by their names, as parts of a cache key. */
export async function readParts(files: readonly string[]): Promise<Record<string, string>> {
  const entries = files.map(
    async (file) => [basename(file), await readFile(file, "utf8")] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

const RM = { recursive: true, force: true, maxRetries: 3 } as const;

/** Whether a path can be reached. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** How `ensure` makes what is missing. */
export interface EnsureOptions {
  /** Fills the empty folder it is given. What it leaves is moved into place as it is. */
  readonly build: (folder: string) => Promise<void>;
  /** Whether what is in the cache still works; what does not is built again. @default always */
  readonly isUsable?: (folder: string) => Promise<boolean>;
  /** Hears once when another process is already building it. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
}

/**
 * The path of `key` in the cache, built when it is not there. Safe against two at once and against
 * interruption: the build goes to a folder of its own and gets its name only when it is whole.
 */
export async function ensure(root: string, key: string, options: EnsureOptions): Promise<string> {
  const path = join(root, key);
  const isReady = async (): Promise<boolean> =>
    (await exists(path)) && (options.isUsable === undefined || (await options.isUsable(path)));
  if (await isReady()) {
    return path;
  }

  await mkdir(root, { recursive: true });
  const build = async (): Promise<void> => {
    if (await isReady()) {
      return; // another process built it while we waited
    }
    await removeLeftovers(root, key);
    const folder = await mkdtemp(join(root, `${key}.tmp-`));
    try {
      await options.build(folder);
      await rm(path, RM);
      await rename(folder, path);
    } catch (error) {
      // Two builders only meet when one was taken for dead; the first to finish is as good.
      if (!(await isReady())) {
        throw error;
      }
    } finally {
      await rm(folder, RM);
    }
  };
  await withLock(join(root, `${key}.lock`), build, options.onWait);
  return path;
}

async function removeLeftovers(root: string, key: string): Promise<void> {
  const leftovers = (await readdir(root)).filter((name) => name.startsWith(`${key}.tmp-`));
  await Promise.all(
    // A killed builder's own children may still write there for a moment: then it is litter until next time.
    leftovers.map((name) => rm(join(root, name), RM).catch(() => undefined)),
  );
}
