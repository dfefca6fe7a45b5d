import { readdirSync, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";

import type { FileHash, FileHashes } from "./file-hashes.ts";

/** One file of a folder that goes into the archive. */
export interface FoundFile {
  /** Path inside the folder, with forward slashes. */
  readonly path: string;
  /** File to read, relative to the project's folder. */
  readonly source: string;
}

/** A setting that names files of the archive. */
export type SourceSetting = "handler" | "weights" | "weightsConfig" | "env";

/** Files that can't be packed: which setting names them, and why. */
export class ArchiveSourceError extends Error {
  readonly setting: SourceSetting;

  constructor(setting: SourceSetting, message: string) {
    super(message);
    this.name = "ArchiveSourceError";
    this.setting = setting;
  }
}

/** Which folder is listed, for whom, and what of it does not count. */
export interface FolderRequest {
  readonly setting: SourceSetting;
  /** The project's folder. */
  readonly root: string;
  /** Relative to the project's folder. */
  readonly folder: string;
  /** Names that are left out at every depth, beside those that begin with a dot. */
  readonly leftOut?: ReadonlySet<string>;
}

/** Control characters, the other system's separator, and what stands for bytes that are no text. */
// eslint-disable-next-line no-control-regex
const BAD_NAME = /[\u0000-\u001f\u007f\\\ufffd]/;

/** All files below a folder, sorted by path. Throws ArchiveSourceError for what can't be packed alike everywhere. */
export function listFolder(request: FolderRequest): FoundFile[] {
  const { setting, root, folder } = request;
  const refuse = (why: string) => new ArchiveSourceError(setting, why);
  const found: FoundFile[] = [];
  let top: string;
  try {
    top = realpathSync(join(root, folder));
    if (!statSync(top).isDirectory()) throw new Error("it is a file");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "it does not exist" : message;
    throw refuse(`the folder "${folder}" can't be read: ${why}. Name a folder beside Pulumi.yaml.`);
  }
  /** `real`: the folder without links; `within`: those that lead to it, which a link may not lead back to. */
  const walk = (inside: string, real: string, within: readonly string[]) => {
    for (const entry of readdirSync(real, { withFileTypes: true })) {
      const { name } = entry;
      if (name.startsWith(".") || request.leftOut?.has(name)) continue;
      const path = inside + name;
      const source = join(folder, path);
      if (BAD_NAME.test(name)) {
        throw refuse(
          `${JSON.stringify(source)} has a character in its name that archives can't carry. Rename it.`,
        );
      }
      const target = entry.isSymbolicLink()
        ? followLink(source, join(real, name))
        : join(real, name);
      const stats = statSync(target);
      if (stats.isDirectory() && within.includes(target)) {
        throw refuse(`the link "${source}" leads back to a folder that it is in. Remove it.`);
      }
      if (stats.isDirectory()) walk(`${path}/`, target, [...within, target]);
      else if (stats.isFile()) found.push({ path, source });
      else throw refuse(`"${source}" is neither a file nor a folder. Remove it.`);
    }
  };
  const followLink = (source: string, link: string): string => {
    const target = realPathOrNull(link);
    if (target === null) throw refuse(`the link "${source}" leads nowhere. Remove it.`);
    if (target.startsWith(top + sep)) return target;
    throw refuse(
      `the link "${source}" leads out of the folder. Put the file itself there: cp -L copies what links lead to.`,
    );
  };
  try {
    walk("", top, [top]);
  } catch (error) {
    if (error instanceof ArchiveSourceError) throw error;
    throw refuse(`the folder "${folder}" can't be read: ${(error as Error).message}.`);
  }
  if (found.length === 0) throw refuse(`the folder "${folder}" is empty.`);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Size and checksums of a file that was found. Throws ArchiveSourceError for one that can't be read. */
export function hashFile(
  setting: SourceSetting,
  root: string,
  { source }: FoundFile,
  hashes: FileHashes,
): FileHash {
  try {
    return hashes.hashOf(join(root, source));
  } catch (error) {
    throw new ArchiveSourceError(
      setting,
      `the file "${source}" can't be read: ${(error as Error).message}.`,
    );
  }
}

function realPathOrNull(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
