import { copyFile, link, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { PACKAGES_LOCK, parsePackagesLock } from "../../components/packages-lock.ts";
import { ReconcileError } from "../../providers/errors.ts";
import { ensureWheels, listMissingWheels } from "../../providers/packages.ts";
import type { LockedWheel } from "../../providers/packages.ts";
import { cacheFolder, cacheKey, ensure, readParts } from "./cache.ts";
import { requireCommand } from "./command.ts";
import { waitingFor } from "./lock.ts";
import type { Plan } from "./plan.ts";
import { PROJECT_ROOT } from "./project.ts";
import type { Report } from "./report.ts";
import { UserError } from "./user-error.ts";

const HANDLER = join(PROJECT_ROOT, "handler");
const LOCK = join(HANDLER, PACKAGES_LOCK);

/** What the handler does at its start, for a folder that is laid out as an archive is. */
const UNPACK = [
  "import sys",
  "from pathlib import Path",
  "from vertex_diffusion.packages import use_packages",
  "print(use_packages(Path(sys.argv[1])) or '')",
].join("\n");

/** The handler's packages outside of an archive, for its tests and for types. */
export interface HandlerPackages {
  /** Holds packages.lock and packages/ with every wheel, as an archive does. */
  readonly archive: string;
  /** Folder for PYTHONPATH; empty for a Python that has no wheels in the lock. */
  readonly path: string;
}

/** Says which of the handler's packages still have to be fetched; fetches none. */
export async function planHandlerPackages(): Promise<Plan> {
  const what = "The handler's Python packages";
  const missing = await listMissingWheels(await readWheels());
  if (missing.length === 0) return { what, how: `kept in ${cacheFolder()}`, cost: null };
  const mb = missing.reduce((sum, { size }) => sum + size, 0) / 1e6;
  return { what, how: "from PyPI", cost: { downloadMb: mb, diskMb: mb, minutes: 0.2 } };
}

/**
 * Fetches the wheels of packages.lock that the user's cache lacks.
 *
 * @throws UserError when the package index can't be reached.
 */
export async function fetchHandlerPackages(report: Report): Promise<void> {
  const wheels = await readWheels();
  if ((await listMissingWheels(wheels)).length > 0) await fetchWheels(wheels, report);
}

/**
 * The handler's packages unpacked in the user's cache, by the handler's own code.
 *
 * @param python the interpreter that will import them.
 */
export async function unpackHandlerPackages(
  python: string,
  report: Report,
): Promise<HandlerPackages> {
  const wheels = await readWheels();
  const archive = await ensure(
    cacheFolder(),
    cacheKey("handler-packages", await readParts([LOCK])),
    {
      onWait: (holder) => report.note(waitingFor("the handler's packages", holder?.pid)),
      build: async (folder) => {
        const paths = await fetchWheels(wheels, report);
        await copyFile(LOCK, join(folder, PACKAGES_LOCK));
        await mkdir(join(folder, "packages"));
        for (const [at, { wheel }] of wheels.entries()) {
          await link(paths[at] ?? "", join(folder, "packages", wheel));
        }
      },
    },
  );
  const { stdout } = await requireCommand(python, ["-c", UNPACK, archive], { cwd: HANDLER });
  return { archive, path: stdout.trim() };
}

async function readWheels(): Promise<readonly LockedWheel[]> {
  const lock = parsePackagesLock(await readFile(LOCK, "utf8"));
  if (lock === undefined) throw new UserError(`"${LOCK}" can't be read. Run "npm run lock".`);
  return lock.wheels;
}

async function fetchWheels(wheels: readonly LockedWheel[], report: Report): Promise<string[]> {
  const step = report.step("Fetching the handler's packages");
  try {
    const paths = await ensureWheels(wheels, (line) => step.update(line));
    step.done();
    return paths;
  } catch (error) {
    step.fail("not fetched");
    throw error instanceof ReconcileError ? new UserError(error.message) : error;
  }
}
