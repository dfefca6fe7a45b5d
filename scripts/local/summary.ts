import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { GcpPlugin } from "../toolchain/gcp-plugin.ts";
import { PROJECT_ROOT, pinnedPulumiVersion } from "../toolchain/project.ts";

/** What `npm run local` brought up, for its closing table and for --json. */
export interface Summary {
  readonly stack: string;
  readonly changes: string;
  readonly bucket: string;
  readonly archiveSizeBytes: number;
  readonly artifactUri: string;
  readonly model: string;
  readonly endpoint: string;
  readonly trafficSplit: Readonly<Record<string, number>>;
  readonly picture: string;
  readonly prompt: string;
  readonly steps: number;
  readonly seconds: number;
}

/** The endpoint's split as the local Vertex AI answers it. */
export async function readTrafficSplit(
  rest: string,
  endpoint: string,
): Promise<Record<string, number>> {
  const response = await fetch(`${rest}/v1/${endpoint}`);
  const body = (await response.json()) as { trafficSplit?: Record<string, number> };
  return body.trafficSplit ?? {};
}

/** The closing table. */
export function formatTable(summary: Summary): string {
  const digest = summary.artifactUri.split("/").at(-1) ?? "";
  const split = Object.entries(summary.trafficSplit)
    .map(([id, share]) => `${share} % to deployed model ${id}`)
    .join(", ");
  const picture = relative(process.cwd(), summary.picture);
  const rows = [
    ["changes", summary.changes],
    ["bucket", summary.bucket],
    ["archive", `${(summary.archiveSizeBytes / 1e6).toFixed(1)} MB, digest ${digest.slice(0, 12)}`],
    ["model version", summary.model.split("/").at(-1) ?? ""],
    ["endpoint", `${summary.endpoint.split("/").at(-1)}: ${split}`],
    [
      "picture",
      `${picture} ("${summary.prompt}", ${summary.steps} steps, ${summary.seconds.toFixed(1)} s)`,
    ],
  ];
  return rows.map(([name = "", value]) => `${name.padEnd(15)}${value}`).join("\n");
}

/** What was real in this run and what stood in for it. */
export async function formatReality(plugin: GcpPlugin): Promise<string> {
  const pulumi = await pinnedPulumiVersion();
  const torchserve = await pinnedTorchServe();
  const standIn =
    plugin.kind === "stand-in" ? `, a small gcp plugin for the official one (${plugin.why})` : "";
  return `Real: Pulumi engine ${pulumi}, model.mar, TorchServe ${torchserve}.
Stood in: a local Vertex AI and Cloud Storage, the CPU for the GPU${standIn}.`;
}

async function pinnedTorchServe(): Promise<string> {
  const lock = join(PROJECT_ROOT, "scripts/toolchain/python/requirements.lock");
  return /^torchserve==(\S+)/m.exec(await readFile(lock, "utf8"))?.[1] ?? "unknown";
}

/** "no changes", or "16 created", "1 updated, 15 unchanged". */
export function formatChanges(changes: Readonly<Record<string, number>>): string {
  const words: Readonly<Record<string, string>> = {
    create: "created",
    update: "updated",
    replace: "replaced",
    delete: "deleted",
    same: "unchanged",
  };
  const entries = Object.entries(changes).filter(([, count]) => count > 0);
  if (entries.every(([kind]) => kind === "same")) return "no changes";
  return entries.map(([kind, count]) => `${count} ${words[kind] ?? kind}`).join(", ");
}
