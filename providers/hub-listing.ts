import { listFiles, modelInfo } from "@huggingface/hub";

import { HubError, hubEndpoint, hubFetch } from "./hub.ts";
import type { HubAddress } from "./hub.ts";

/** One file of a repository, as the hub lists it. */
export interface HubFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, hex; the hub knows it of large files alone (Git LFS). */
  readonly sha256: string | null;
  /** Git's own hash of a small file: SHA-1 over a header and the content, hex. */
  readonly gitHash: string;
}

/** The commit that a branch or tag is at; without one, the main branch. */
export async function findCommit(repository: string, revision = "main"): Promise<string> {
  const { sha } = await modelInfo({
    name: repository,
    revision,
    hubUrl: hubEndpoint(),
    additionalFields: ["sha"],
    fetch: hubFetch({ repository, revision }),
  });
  if (/^[0-9a-f]{40}$/.test(sha)) return sha;
  throw new HubError(
    "the hub did not say which commit it is at",
    "Name the commit: hf://OWNER/NAME@COMMIT.",
  );
}

/** All files of a commit, page by page. */
export async function listCommit({
  repository,
  revision,
}: Required<Omit<HubAddress, "path">>): Promise<HubFile[]> {
  const entries = listFiles({
    repo: { type: "model", name: repository },
    recursive: true,
    revision,
    hubUrl: hubEndpoint(),
    fetch: hubFetch({ repository, revision }),
  });
  const files: HubFile[] = [];
  for await (const { type, path, size, oid = "", lfs } of entries) {
    if (type !== "file") continue;
    files.push({ path, size: lfs?.size ?? size, sha256: lfs?.oid ?? null, gitHash: oid });
  }
  return files;
}
