import { readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

interface ProjectFile {
  readonly name: string;
  readonly config: Readonly<Record<string, { readonly default?: unknown }>>;
}

/** The defaults of Pulumi.yaml as the engine hands them to the program: text, objects as JSON, no empty text. */
export function projectDefaults(): Record<string, string> {
  const path = join(import.meta.dirname, "..", "..", "Pulumi.yaml");
  const project = parse(readFileSync(path, "utf8")) as ProjectFile;
  const entries = Object.entries(project.config).flatMap(([key, { default: value }]) =>
    value === undefined ? [] : [[`${project.name}:${key}`, toText(value)] as const],
  );
  return Object.fromEntries(entries);
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
