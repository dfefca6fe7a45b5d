import { readFileSync } from "node:fs";
import { join } from "node:path";

import { control } from "./emulator.ts";

/** The commands that ARCHITECTURE.md's table counts the calls of. */
export type CountedCommand = "first up" | "up, nothing changed" | "up, new archive" | "destroy";

export type CallCounts = Readonly<Record<string, number>>;

/** Polls of operations: as many as an operation takes time. */
const POLL = "Operations.GetOperation";

/** How Google's clients for Node, and so this project's providers, name themselves; Google's own provider does not. */
const OUR_CLIENTS = /\bgl-node\//;

/** This project's calls since the log was cleared by method, "ModelService.GetModel", without the polls. */
export async function countCalls(address: { readonly rest: string }): Promise<CallCounts> {
  const { requests } = (await control(address, "GET", "requests")) as {
    requests: { method: string; caller: string }[];
  };
  const counts: Record<string, number> = {};
  for (const { method, caller } of requests) {
    const name = method.replace(/^google\.(cloud\.aiplatform\.\w+|longrunning)\./, "");
    if (OUR_CLIENTS.test(caller) && name !== POLL) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** What ARCHITECTURE.md says of one command: the column of its table, without the empty cells. */
export function documentedCalls(command: CountedCommand): CallCounts {
  const path = join(import.meta.dirname, "..", "..", "ARCHITECTURE.md");
  const [, table = ""] =
    /<!-- api-calls -->([\s\S]*)<!-- \/api-calls -->/.exec(readFileSync(path, "utf8")) ?? [];
  const [header = [], , ...rows] = table
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const column = header.indexOf(command);
  if (column < 1) throw new Error(`ARCHITECTURE.md has no column "${command}" of calls`);
  const cells = rows.map((row) => [row[0] ?? "", Number(row[column])] as const);
  return Object.fromEntries(cells.filter(([, count]) => count > 0));
}
