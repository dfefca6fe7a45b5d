import { createHash } from "node:crypto";
import type { LockedFile, LockedWeights } from "../../components/weights-lock.ts";
import { ArchiveSourceError } from "../../components/source-folder.ts";
import type { WeightsSource } from "../../components/weights-source.ts";
import { findCommit, listCommit } from "../../providers/hub-listing.ts";
import type { HubFile } from "../../providers/hub-listing.ts";
import { HubError, openHubFile } from "../../providers/hub.ts";
import { retrying } from "../../providers/retry.ts";
import { choosePipelineFiles } from "./pipeline-files.ts";

type HubSource = Extract<WeightsSource, { kind: "hub" }>;

/** Small files that are read at once. */
const AT_ONCE = 4;

/**
 * Pins a repository's revision to its commit and lists the files of it that the handler loads. The hub knows the SHA-256 of
 * large files; small ones are read for it.
 *
 * @throws ArchiveSourceError for a repository that no pipeline can be loaded from; HubError where the hub refuses.
 */
export async function lockRepository(
  { repository, revision: asked }: HubSource,
  onProgress: (detail: string) => void,
): Promise<LockedWeights> {
  onProgress("asking the hub for its commit");
  const revision = await retrying(() => findCommit(repository, asked ?? undefined));
  onProgress("listing its files");
  const listed = await retrying(() => listCommit({ repository, revision }));
  const read = (file: HubFile) => retrying(() => readSmallFile(repository, revision, file));
  const index = listed.find(({ path }) => path === "model_index.json");
  if (index === undefined) {
    throw new ArchiveSourceError(
      "weights",
      `"hf://${repository}" has no model_index.json, so it is no diffusers pipeline. Name a repository that has one.`,
    );
  }
  const content = (await read(index)).toString("utf8");
  const chosen = choosePipelineFiles(`hf://${repository}`, content, listed);
  const files: LockedFile[] = new Array(chosen.length);
  const queue = [...chosen.entries()];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [at, { path, listed: file }] = next;
      onProgress(`reading ${file.path}`);
      const sha256 = file.sha256 ?? sha256Of(await read(file));
      const from = file.path === path ? {} : { from: file.path };
      files[at] = { path, ...from, size: file.size, sha256 };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { revision, files };
}

/** A file that Git itself holds: at most some megabytes. */
async function readSmallFile(
  repository: string,
  revision: string,
  { path, sha256, gitHash }: HubFile,
): Promise<Buffer> {
  const signal = AbortSignal.timeout(60_000);
  const { content } = await openHubFile({ repository, revision, path }, 0, signal);
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const git = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes);
  if (sha256 === null ? git.digest("hex") === gitHash : sha256Of(bytes) === sha256) return bytes;
  throw new HubError(
    `what arrived of "${path}" is not what the hub lists`,
    "Run the same command again.",
  );
}

function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
