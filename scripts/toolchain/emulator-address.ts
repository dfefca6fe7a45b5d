import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { EmulatorAddress } from "./environment.ts";
import { localPaths } from "./environment.ts";

const HEALTH_MS = 5_000;

/** What an emulator says of itself in its address file, or undefined when that is not one. */
export function parseAddress(text: string): EmulatorAddress | undefined {
  try {
    const value = JSON.parse(text) as Partial<EmulatorAddress> | null;
    return typeof value?.rest === "string" && typeof value.grpc === "string"
      ? { rest: value.rest, grpc: value.grpc }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The address of this checkout's emulator if it is running and answers, else undefined. */
export async function findRunningEmulator(
  root: string,
  localFolder: string = join(root, ".local"),
): Promise<EmulatorAddress | undefined> {
  const path = localPaths(root, localFolder).emulatorAddress;
  const address = parseAddress(await readFile(path, "utf8").catch(() => ""));
  if (address === undefined) {
    return undefined;
  }
  try {
    const signal = AbortSignal.timeout(HEALTH_MS);
    const answer = await fetch(`${address.rest}/_emulator/health`, { signal });
    await answer.body?.cancel();
    return answer.ok ? address : undefined;
  } catch {
    return undefined;
  }
}
