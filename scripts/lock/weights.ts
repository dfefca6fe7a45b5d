import { existsSync } from "node:fs";
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { FILE_HASHES } from "../../components/archive-plan.ts";
import { FileHashes } from "../../components/file-hashes.ts";
import { readSingleFile } from "../../components/single-file.ts";
import { ArchiveSourceError } from "../../components/source-folder.ts";
import { WEIGHTS_LOCK, readWeightsFolder, readWeightsLock } from "../../components/weights-lock.ts";
import type { LockedFile, LockedWeights, WeightsLock } from "../../components/weights-lock.ts";
import { parseWeights, weightsKey } from "../../components/weights-source.ts";
import type { SingleFileSource, WeightsSetting } from "../../components/weights-source.ts";
import { ReconcileError, codeOf, detailOf, isTransient, nextStep } from "../../providers/errors.ts";
import { HubError } from "../../providers/hub.ts";
import { readDefaultWeights } from "../local/twin-weights.ts";
import type { Report } from "../toolchain/report.ts";
import { UserError } from "../toolchain/user-error.ts";
import { lockBucketFolder } from "./bucket-weights.ts";
import { lockRepository } from "./hub-weights.ts";
import type { LockResult } from "./result.ts";

export interface LockWeightsOptions {
  /** The project's folder. */
  readonly root: string;
  /** Asks anew what a repository or a folder of objects holds, also where the lock has it. */
  readonly upgrade: boolean;
}

/** How one value of the setting was locked: `kept` is what the lock had; without `weights` it stays unlocked, and why. */
interface Outcome {
  readonly weights: LockedWeights | undefined;
  readonly note?: string;
  /** What was asked for and could not be done. */
  readonly problem?: string;
}

/**
 * Locks the weights that the stack files name and writes weights.lock.json. Weights that do not lie here keep what the lock
 * has of them, as a repository keeps its commit; those that no stack file names any longer leave it. What can't be locked
 * is a problem of the result, and the rest is written all the same.
 */
export async function lockWeights(
  { root, upgrade }: LockWeightsOptions,
  report: Report,
): Promise<LockResult> {
  const before = asUser(() => readWeightsLock(root));
  const hashes = new FileHashes(join(root, FILE_HASHES));
  const locked: Record<string, LockedWeights> = {};
  const notes: string[] = [];
  const problems: string[] = [];
  for (const [weights, setting] of await namedWeights(root)) {
    const known = before.weights[weights];
    const outcome = await lockOne({ root, weights, setting, known, upgrade, hashes, report });
    if (outcome.weights !== undefined) locked[weights] = outcome.weights;
    if (outcome.note !== undefined) notes.push(`; ${outcome.note}`);
    if (outcome.problem !== undefined) problems.push(outcome.problem);
  }
  hashes.save();
  const changed = await writeLock(root, { schema: 1, weights: locked });
  const files = Object.values(locked).flatMap((weights) => weights.files);
  const summary = `${Object.keys(locked).join(", ") || "nothing"}: ${describe(files)}${notes.join("")}`;
  return { lock: WEIGHTS_LOCK, changed, summary, problems };
}

interface LockRequest {
  readonly root: string;
  /** Their name in the lock. */
  readonly weights: string;
  readonly setting: WeightsSetting;
  /** What the lock has of it. */
  readonly known: LockedWeights | undefined;
  readonly upgrade: boolean;
  readonly hashes: FileHashes;
  readonly report: Report;
}

async function lockOne(request: LockRequest): Promise<Outcome> {
  const { weights, setting, known, upgrade, report } = request;
  try {
    const source = parseWeights(setting);
    if (source.kind === "folder") return lockFolder(request, source.folder);
    if (source.kind === "file") return lockSingleFile(request, source);
    if (known !== undefined && !upgrade) return { weights: known };
    const step = report.step(`Locking ${weights}`);
    try {
      const onProgress = (detail: string) => step.update(detail);
      const made =
        source.kind === "hub"
          ? await lockRepository(source, onProgress)
          : await lockBucketFolder(source, known, onProgress);
      const commit = made.revision === undefined ? "" : ` of commit ${made.revision.slice(0, 7)}`;
      step.done(`${describe(made.files)}${commit}`);
      return { weights: made };
    } catch (error) {
      step.fail("not locked");
      throw error;
    }
  } catch (error) {
    return { weights: known, problem: `"${weights}" can't be locked: ${explain(error)}` };
  }
}

function lockFolder(request: LockRequest, folder: string): Outcome {
  const { root, known, hashes } = request;
  if (existsSync(join(root, folder))) {
    return lockRead(request, folder, () => readWeightsFolder(root, folder, hashes));
  }
  if (known === undefined) return notHere(folder);
  noteKept(request, folder);
  return { weights: known };
}

/** The small configuration may lie here where the long file does not. */
function lockSingleFile(request: LockRequest, source: SingleFileSource): Outcome {
  const { root, known, hashes } = request;
  const places = [source.file, source.config];
  const here = places.filter((place) => existsSync(join(root, place)));
  if (known === undefined && !here.includes(source.file)) return notHere(source.file);
  if (known !== undefined) {
    for (const place of places) if (!here.includes(place)) noteKept(request, place);
    if (here.length === 0) return { weights: known };
  }
  const read = () => readSingleFile(root, source, known?.files ?? [], hashes);
  return lockRead(request, here.join(" and "), read);
}

function lockRead(
  { report }: LockRequest,
  place: string,
  read: () => readonly LockedFile[],
): Outcome {
  const step = report.step(`Reading ${place}`);
  try {
    const files = read();
    step.done(describe(files));
    return { weights: { files: files.map(({ path, size, sha256 }) => ({ path, size, sha256 })) } };
  } catch (error) {
    step.fail("not locked");
    throw error;
  }
}

function notHere(place: string): Outcome {
  return { weights: undefined, note: `"${place}" is not here and stays unlocked` };
}

function noteKept({ report }: LockRequest, place: string): void {
  report.note(`"${place}" is not here: ${WEIGHTS_LOCK} keeps what it has of it.`);
}

/** A refusal in words; what is no refusal is a bug, and passes. */
function explain(error: unknown): string {
  if (error instanceof ArchiveSourceError) return error.message;
  if (error instanceof HubError) return `${error.message}. ${error.step}`;
  // Cloud Storage's clients have a code for an answer; without credentials there is none.
  const isRefusal =
    codeOf(error) !== undefined || isTransient(error) || /credentials/.test(detailOf(error));
  if (!isRefusal && !(error instanceof ReconcileError)) throw error;
  const step = nextStep(error) || "Correct the address, or the rights of the account that asks.";
  return `${detailOf(error).replace(/\.?\s*$/, ".")} ${step}`;
}

/** What the stack files name, by themselves or by Pulumi.yaml's default, each once, sorted by its name in the lock. */
async function namedWeights(root: string): Promise<[key: string, setting: WeightsSetting][]> {
  const named = new Map<string, WeightsSetting>();
  const files = (await readdir(root)).filter((file) => /^Pulumi\..+\.yaml$/.test(file));
  for (const name of files) {
    const { config } = Object(parse(await readFile(join(root, name), "utf8"))) as {
      config?: Record<string, unknown>;
    };
    const setting = {
      weights: String(config?.["vertex-diffusion:weights"] ?? (await readDefaultWeights(root))),
      weightsConfig: String(config?.["vertex-diffusion:weightsConfig"] ?? ""),
    };
    named.set(weightsKey(setting), setting);
  }
  return [...named].sort(([a], [b]) => (a < b ? -1 : 1));
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
