import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import type { ArchiveEntry, ArchivePlan } from "@vertex-diffusion/providers/archive";

/** Folders that make up an archive, relative to the project's folder. */
export interface ArchiveSources {
  /** Holds handler.py and the modules it imports. */
  readonly handler: string;
  /** A diffusers pipeline folder: model_index.json and its components. */
  readonly weights: string;
}

/** A folder that can't be packed: which setting names it, and why. */
export class ArchiveSourceError extends Error {
  readonly setting: "handler" | "weights";

  constructor(setting: "handler" | "weights", message: string) {
    super(message);
    this.name = "ArchiveSourceError";
    this.setting = setting;
  }
}

/** Entry module of every handler folder (TorchServe's `handler` in the manifest). */
const ENTRY_MODULE = "handler.py";

/** What a handler folder holds beside its code: for its developers, or weights that are named by themselves. */
const LEFT_OUT = new Set(["tests", "__pycache__", "demo-model", "pyproject.toml", "README.md"]);

/** TorchServe reads model name, version and handler; a fixed date keeps the bytes the same. */
const MANIFEST = `${JSON.stringify(
  {
    createdOn: "01/01/1980 00:00:00",
    runtime: "python",
    model: { modelName: "model", handler: ENTRY_MODULE, modelVersion: "1.0" },
    archiverVersion: "0.12.0",
  },
  null,
  2,
)}\n`;

/**
 * Lists and hashes what model.mar is made of. Reads only. The digest depends on paths inside the archive and on content,
 * not on where the folders lie, their times or their modes.
 */
export function planArchive(root: string, sources: ArchiveSources): ArchivePlan {
  const handler = listFiles(root, sources.handler, "handler", "");
  if (!handler.some((entry) => entry.path === ENTRY_MODULE)) {
    throw new ArchiveSourceError(
      "handler",
      `the folder "${sources.handler}" has no ${ENTRY_MODULE}. Name the folder that holds it.`,
    );
  }
  const weights = listFiles(root, sources.weights, "weights", "weights/");
  if (!weights.some((entry) => entry.path === "weights/model_index.json")) {
    throw new ArchiveSourceError(
      "weights",
      `the folder "${sources.weights}" has no model_index.json, so it is no diffusers pipeline. Save one there with pipeline.save_pretrained("${sources.weights}").`,
    );
  }
  const entries = [...handler, ...weights].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { schema: 1, digest: digestOf(entries), manifest: MANIFEST, entries };
}

function digestOf(entries: readonly ArchiveEntry[]): string {
  const hash = createHash("sha256").update(MANIFEST);
  for (const { path, size, sha256 } of entries) hash.update(JSON.stringify([path, size, sha256]));
  return hash.digest("hex");
}

function listFiles(
  root: string,
  folder: string,
  setting: "handler" | "weights",
  prefix: string,
): ArchiveEntry[] {
  const found: ArchiveEntry[] = [];
  const walk = (path: string, inside: string) => {
    for (const entry of readdirSync(join(root, path))) {
      if (entry.startsWith(".") || (setting === "handler" && LEFT_OUT.has(entry))) continue;
      const source = join(path, entry);
      const stats = statSync(join(root, source));
      if (stats.isDirectory()) walk(source, `${inside}${entry}/`);
      else if (stats.isFile()) found.push(toEntry(root, source, `${inside}${entry}`, stats.size));
    }
  };
  try {
    if (!statSync(join(root, folder)).isDirectory()) throw new Error("it is a file");
    walk(folder, prefix);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "it does not exist" : message;
    throw new ArchiveSourceError(
      setting,
      `the folder "${folder}" can't be read: ${why}. Name a folder beside Pulumi.yaml.`,
    );
  }
  if (found.length === 0) {
    throw new ArchiveSourceError(setting, `the folder "${folder}" is empty.`);
  }
  return found;
}

function toEntry(root: string, source: string, path: string, size: number): ArchiveEntry {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(4 * 1024 * 1024);
  const file = openSync(join(root, source), "r");
  try {
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
      hash.update(buffer.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
  return { path, source, size, sha256: hash.digest("hex") };
}
