import { existsSync } from "node:fs";
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { FILE_HASHES } from "../../components/archive-plan.ts";
import { FileHashes } from "../../components/file-hashes.ts";
import { ArchiveSourceError } from "../../components/source-folder.ts";
import {
  WEIGHTS_LOCK,
  readWeightsFolder,
  readWeightsLock,
  weightsKey,
} from "../../components/weights-lock.ts";
import type { LockedWeights, WeightsLock } from "../../components/weights-lock.ts";
import type { Report } from "../toolchain/report.ts";
import { UserError } from "../toolchain/user-error.ts";
import type { LockResult } from "./result.ts";

export interface LockWeightsOptions {
  /** The project's folder. */
  readonly root: string;
}

/**
 * Reads the weights that the stack files name and writes weights.lock.json. Weights that do not lie here keep what the lock
 * has of them; those that no stack file names any longer leave it.
 *
 * @throws UserError for a folder that no pipeline can be loaded from.
 */
export async function lockWeights(
  { root }: LockWeightsOptions,
  report: Report,
): Promise<LockResult> {
  const before = asUser(() => readWeightsLock(root));
  const hashes = new FileHashes(join(root, FILE_HASHES));
  const locked: Record<string, LockedWeights> = {};
  const absent: string[] = [];
  for (const weights of await namedWeights(root)) {
    const known = before.weights[weights];
    if (existsSync(join(root, weights))) {
      const step = report.step(`Reading ${weights}`);
      const files = asUser(() => readWeightsFolder(root, weights, hashes));
      locked[weights] = { files: files.map(({ path, size, sha256 }) => ({ path, size, sha256 })) };
      step.done(describe(files));
    } else if (known !== undefined) {
      locked[weights] = known;
      report.note(`"${weights}" is not here: ${WEIGHTS_LOCK} keeps what it has of it.`);
    } else {
      absent.push(weights);
    }
  }
  hashes.save();
  const changed = await writeLock(root, { schema: 1, weights: locked });
  const files = Object.values(locked).flatMap((weights) => weights.files);
  const missing = absent.map((weights) => `; "${weights}" is not here and stays unlocked`).join("");
  const summary = `${Object.keys(locked).join(", ") || "nothing"}: ${describe(files)}${missing}`;
  return { lock: WEIGHTS_LOCK, changed, summary };
}

/** What the stack files and the project's default name, each once, sorted. */
async function namedWeights(root: string): Promise<string[]> {
  const named = new Set<string>();
  for (const name of (await readdir(root)).filter((file) => /^Pulumi(\..+)?\.yaml$/.test(file))) {
    const { config } = Object(parse(await readFile(join(root, name), "utf8"))) as {
      config?: Record<string, unknown>;
    };
    const value = config?.["vertex-diffusion:weights"] ?? defaultOf(config?.["weights"]);
    if (typeof value === "string") named.add(weightsKey(value));
  }
  return [...named].sort();
}

/** Pulumi.yaml declares settings by their short names, each with its default. */
function defaultOf(declared: unknown): unknown {
  return (Object(declared) as { default?: unknown }).default;
}

async function writeLock(root: string, lock: WeightsLock): Promise<boolean> {
  const path = join(root, WEIGHTS_LOCK);
  const text = `${JSON.stringify(lock, null, 2)}\n`;
  if ((await readFile(path, "utf8").catch(() => "")) === text) return false;
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
  return true;
}

function describe(files: readonly { readonly size: number }[]): string {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return `${files.length} files, ${(bytes / 1e6).toFixed(1)} MB`;
}

/** A user's mistake in words, without a stack trace. */
function asUser<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ArchiveSourceError
      ? new UserError(`The weights can't be locked: ${error.message}`)
      : error;
  }
}
