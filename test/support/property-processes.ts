import { readFileSync, readdirSync } from "node:fs";

/** Process groups in which a process names the folder: those of an emulator's servers, by their scratch folders. */
export function groupsOfFolder(folder: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  const groups = pids
    .filter((pid) => read(pid, "cmdline").includes(folder))
    .map((pid) => {
      // "PID (NAME) STATE PPID PGRP ...", where the name may hold anything.
      const [state, , group] = read(pid, "stat")
        .replace(/^.*\) /s, "")
        .split(" ");
      return state === "Z" ? 0 : Number(group ?? 0);
    });
  return [...new Set(groups.filter((group) => group > 0))].sort((a, b) => a - b);
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
