import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { ArchiveEntry } from "@vertex-diffusion/providers/archive-plan";
import type { PackagesLock } from "@vertex-diffusion/providers/packages";

import { ArchiveSourceError } from "./source-folder.ts";

/** What a handler needs beyond the standard library, in pip's format. A handler without it brings no packages. */
export const REQUIREMENTS = "requirements.in";
/** Beside it, written by `npm run lock`; packed too, since the handler reads it at its start. */
export const PACKAGES_LOCK = "packages.lock";

/**
 * The wheels that a handler's archive carries, from its packages.lock alone: no wheel is read, and none needs to be there
 * before the archive is built.
 *
 * @param handler the handler's folder, relative to the project's.
 * @throws ArchiveSourceError when the lock is missing, damaged or made from another requirements.in.
 */
export function planPackages(root: string, handler: string): ArchiveEntry[] {
  const requirements = readIfThere(join(root, handler, REQUIREMENTS));
  const text = readIfThere(join(root, handler, PACKAGES_LOCK));
  if (requirements === undefined && text === undefined) return [];
  const where = `${handler}/${PACKAGES_LOCK}`;
  const command = lockCommand(handler);
  if (requirements === undefined) {
    throw new ArchiveSourceError(
      "handler",
      `"${where}" has no ${REQUIREMENTS} beside it. Write one and run "${command}", or delete "${where}".`,
    );
  }
  if (text === undefined) {
    throw new ArchiveSourceError(
      "handler",
      `"${handler}/${REQUIREMENTS}" has no ${PACKAGES_LOCK} beside it. Run "${command}".`,
    );
  }
  const lock = parsePackagesLock(text);
  if (lock === undefined) {
    throw new ArchiveSourceError(
      "handler",
      `"${where}" is no ${PACKAGES_LOCK} that can be read. Run "${command}".`,
    );
  }
  if (lock.requirements !== hashRequirements(requirements)) {
    throw new ArchiveSourceError(
      "handler",
      `"${where}" was made from another "${handler}/${REQUIREMENTS}". Run "${command}".`,
    );
  }
  return lock.wheels.map(({ name, wheel, size, sha256 }) => ({
    path: `packages/${wheel}`,
    source: wheel,
    size,
    sha256,
    origin: { kind: "pypi", project: name },
  }));
}

/** The command that writes a handler's lock anew. */
export function lockCommand(handler: string): string {
  return handler === "handler" ? "npm run lock" : `npm run lock -- --handler ${handler}`;
}

/** SHA-256 of the requirements without their comments, empty lines and line ends: what changes none of them is no change. */
export function hashRequirements(text: string): string {
  return createHash("sha256").update(listRequirements(text).join("\n")).digest("hex");
}

/** The lines of a requirements.in that say something. */
export function listRequirements(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** What a packages.lock says; undefined when it is none, or one of a later shape. */
export function parsePackagesLock(text: string): PackagesLock | undefined {
  try {
    const lock = JSON.parse(text) as PackagesLock | null;
    const isOurs = lock?.schema === 1 && lock.wheels.every(isWheel) && hasOwnNames(lock);
    return isOurs ? lock : undefined;
  } catch {
    return undefined;
  }
}

function isWheel({ name, wheel, size, sha256, pythons }: PackagesLock["wheels"][number]): boolean {
  return (
    /^[a-z0-9-]+$/.test(name) &&
    /^[\w.+!-]+\.whl$/.test(wheel) &&
    Number.isSafeInteger(size) &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    Array.isArray(pythons)
  );
}

function hasOwnNames({ wheels }: PackagesLock): boolean {
  return new Set(wheels.map(({ wheel }) => wheel)).size === wheels.length;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new ArchiveSourceError(
      "handler",
      `"${path}" can't be read: ${(error as Error).message}.`,
    );
  }
}
