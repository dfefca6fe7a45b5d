import { readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";
import type { PipelineFolder } from "./pipeline-folder.ts";

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

/** The configuration of a stack file with nothing but what has no default, over a pipeline of a test's own. */
export function minimalConfig(folder: PipelineFolder): Record<string, string> {
  return {
    ...projectDefaults(),
    "gcp:project": "my-project",
    "gcp:region": "us-central1",
    "vertex-diffusion:container": "prebuilt",
    "vertex-diffusion:handler": folder.handler,
    "vertex-diffusion:weights": folder.weights,
  };
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
