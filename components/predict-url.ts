import { readFileSync } from "node:fs";

import type { Settings } from "./settings.ts";

/**
 * Address that answers `:predict`. A dedicated endpoint answers at its own host only, everything else at the region's; a
 * local stack at the emulator that runs now.
 */
export function predictUrlOf(settings: Settings, endpoint: string, dedicatedDns: string): string {
  const host = settings.emulator
    ? emulatorAddress()
    : dedicatedDns === ""
      ? `https://${settings.region}-aiplatform.googleapis.com`
      : `https://${dedicatedDns.replace(/^https:\/\//, "")}`;
  return `${host}/v1/${endpoint}:predict`;
}

function emulatorAddress(): string {
  const value = process.env.VERTEX_DIFFUSION_EMULATOR ?? "";
  if (value.startsWith("http://")) return value.replace(/\/$/, "");
  try {
    return (JSON.parse(readFileSync(value, "utf8")) as { rest: string }).rest;
  } catch {
    // The dynamic resources say that no emulator runs; an output is no place for it.
    return "http://127.0.0.1:8085";
  }
}
