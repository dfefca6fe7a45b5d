import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

import { isProcessAlive } from "../../providers/process-alive.ts";

/** Who holds a lock, as written in the lock file. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** Unique per lock taken, so that one holder is never mistaken for another. */
  readonly id: string;
}

const HEARTBEAT_MS = 5_000;
/** A holder that has not touched its lock for this long is taken for dead (other host, reused pid). */
export const STALE_AFTER_MS = 60_000;
const POLL_MS = 500;

/** Whether a lock's holder can't come back: its process is gone, or has been silent for too long. */
export function isStale(
  holder: LockHolder | undefined,
  silentMs: number,
  host: string,
  isAlive: (pid: number) => boolean,
): boolean {
  if (silentMs > STALE_AFTER_MS) {
    return true;
  }
  return holder !== undefined && holder.host === host && !isAlive(holder.pid);
}

/**
 * Runs `work` while holding the lock file at `path`; waits for another process that holds it.
 * `onWait` hears once whom we wait for. A lock taken from a holder that was only asleep lets two
 * run at once, so `work` must be safe then, only wasteful.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  onWait: (holder: LockHolder | undefined) => void = () => undefined,
): Promise<T> {
  const me: LockHolder = { pid: process.pid, host: hostname(), id: randomUUID() };
  let isTold = false;
  while (!(await take(path, me))) {
    if (await removeIfStale(path, me)) {
      continue;
    }
    if (!isTold) {
      isTold = true;
      onWait((await readLock(path))?.holder);
    }
    await delay(POLL_MS);
  }

  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readLock(path))?.holder?.id === me.id) {
      await rm(path, { force: true });
    }
  }
}

/** The line that says why nothing seems to happen while another process does the same. */
export function waitingFor(what: string, pid: number | undefined): string {
  return `Waiting for process ${pid ?? "?"}, which is getting ${what} ready too.`;
}

/** Takes the lock by linking a whole file to its name: nobody ever reads a half-written one. */
async function take(path: string, me: LockHolder): Promise<boolean> {
  const draft = `${path}.${me.id}`;
  await writeFile(draft, JSON.stringify(me));
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) {
      return false;
    }
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function removeIfStale(path: string, me: LockHolder): Promise<boolean> {
  const seen = await readLock(path);
  if (seen === undefined) {
    return true;
  }
  if (!isStale(seen.holder, seen.silentMs, me.host, isProcessAlive)) {
    return false;
  }
  // Between the look and the removal another waiter may have put its own lock there: what we moved
  // away is looked at again, and put back if it is not the stale one.
  const aside = `${path}.stale-${me.id}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isCode(error, "ENOENT")) {
      return true;
    }
    throw error;
  }
  if ((await readLock(aside))?.holder?.id !== seen.holder?.id) {
    await link(aside, path).catch(() => undefined);
  }
  await rm(aside, { force: true });
  return true;
}

async function readLock(
  path: string,
): Promise<{ holder: LockHolder | undefined; silentMs: number } | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    return { holder: parseHolder(text), silentMs: Date.now() - mtimeMs };
  } catch (error) {
    if (isCode(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const value = JSON.parse(text) as Partial<LockHolder>;
    return typeof value.pid === "number" &&
      typeof value.host === "string" &&
      typeof value.id === "string"
      ? { pid: value.pid, host: value.host, id: value.id }
      : undefined;
  } catch {
    return undefined;
  }
}

function isCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}
