import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Address } from "./subject.ts";

const SERVER = join(import.meta.dirname, "floor-server.ts");

/** Starts floor-server.ts beside the emulator, does the work with its address, and ends it. */
export async function withFloor<T>(
  { rest, grpc }: Address,
  work: (floor: Address) => Promise<T>,
): Promise<T> {
  // A group of its own: Ctrl-C must not end it under a call that is being measured.
  const child = spawn(process.execPath, [SERVER, rest, grpc], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    for await (const line of createInterface(child.stdout)) {
      const address = JSON.parse(line) as { rest: string; grpc: string };
      return await work({ kind: "emulator", ...address });
    }
    throw new Error(`"${SERVER}" ended before it listened`);
  } finally {
    child.stdin.end();
    await ended;
  }
}
