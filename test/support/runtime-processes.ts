import { readFileSync, readdirSync } from "node:fs";

/** Living processes of a process group: ids and command lines. */
export function processesOfGroup(
  group: number,
): { readonly pid: number; readonly command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name) && isInGroup(name, group))
    .map((name) => ({ pid: Number(name), command: read(name, "cmdline").replaceAll("\0", " ") }));
}

function isInGroup(pid: string, group: number): boolean {
  // "PID (NAME) STATE PPID PGRP ...", where the name may hold anything.
  const [state, , pgrp] = read(pid, "stat")
    .replace(/^.*\) /s, "")
    .split(" ");
  return state !== "Z" && Number(pgrp) === group;
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
