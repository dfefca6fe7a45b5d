import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ApiError } from "../errors.ts";
import { kindOfImage } from "../runtime/images.ts";
import type { Cloud, ObjectSource } from "./cloud.ts";
import type { VersionRecord } from "./types.ts";

/** The prebuilt PyTorch images serve exactly this file. */
export const ARCHIVE = "model.mar";

const MANAGED_BUCKET = "caip-tenant-local";

interface Artifacts {
  readonly bucket: string;
  /** "" or ends in "/". */
  readonly prefix: string;
  readonly names: readonly string[];
}

/**
 * Lists what an upload will copy. Throws FAILED_PRECONDITION when there is nothing, or when a prebuilt image finds no
 * model.mar directly under the folder.
 */
export function findArtifacts(
  objects: ObjectSource,
  artifactUri: string,
  imageUri: string,
): Artifacts {
  const found = /^gs:\/\/([^/]+)(?:\/(.*))?$/.exec(artifactUri);
  if (found === null) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `artifact_uri "${artifactUri}" is not valid: expected "gs://BUCKET/FOLDER".`,
    );
  }
  const bucket = found[1] ?? "";
  const folder = (found[2] ?? "").replace(/\/+$/, "");
  const prefix = folder === "" ? "" : `${folder}/`;
  const names = listNames(objects, bucket, prefix, artifactUri);
  if (names.length === 0) {
    throw new ApiError("FAILED_PRECONDITION", `There are no files under "${artifactUri}" to copy.`);
  }
  if (kindOfImage(imageUri) === "prebuilt") checkArchive(names, prefix, artifactUri);
  return { bucket, prefix, names };
}

function listNames(
  objects: ObjectSource,
  bucket: string,
  prefix: string,
  artifactUri: string,
): string[] {
  try {
    const names = objects.listObjects(bucket, prefix).map((object) => object.name);
    return names.filter((name) => !name.endsWith("/"));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== "NOT_FOUND") throw error;
    throw new ApiError(
      "FAILED_PRECONDITION",
      `The artifacts at "${artifactUri}" could not be read: the bucket "${bucket}" does not exist or is not accessible.`,
    );
  }
}

function checkArchive(names: readonly string[], prefix: string, artifactUri: string): void {
  const archives = names.filter(
    (name) => name.endsWith(".mar") && !name.slice(prefix.length).includes("/"),
  );
  if (archives.length === 1 && archives[0] === `${prefix}${ARCHIVE}`) return;
  throw new ApiError(
    "FAILED_PRECONDITION",
    `Model directory ${artifactUri} is expected to contain exactly one of: [${ARCHIVE}].`,
  );
}

/**
 * Copies the artifacts into the Google-managed bucket, so a later change in the caller's bucket has no effect. The archive
 * stands beside as a file, for the server process. Answers the folder's name.
 */
export async function copyArtifacts(cloud: Cloud, artifacts: Artifacts): Promise<string> {
  const folder = randomUUID();
  try {
    await cloud.objects.copyFolder(artifacts, managedFolder(folder));
    if (artifacts.names.includes(artifacts.prefix + ARCHIVE)) {
      await mkdir(join(cloud.artifactsDir, folder), { recursive: true });
      const { bucket, prefix } = managedFolder(folder);
      await cloud.objects.linkObjectTo(bucket, prefix + ARCHIVE, archiveFile(cloud, folder));
    }
  } catch (error) {
    await removeArtifacts(cloud, folder);
    throw error;
  }
  return folder;
}

export async function removeArtifacts(cloud: Cloud, folder: string): Promise<void> {
  if (folder === "") return;
  await cloud.objects.removeFolder(managedFolder(folder));
  await rm(join(cloud.artifactsDir, folder), { recursive: true, force: true });
}

/** After a crash: removes copies whose version was never recorded. */
export async function removeUnusedArtifacts(cloud: Cloud): Promise<void> {
  const versions = cloud.models.list().flatMap((model) => model.versions);
  const used = new Set(versions.map((version) => version.artifactFolder));
  const present = new Set([...managedFolders(cloud), ...readdirSync(cloud.artifactsDir)]);
  for (const folder of present) {
    if (!used.has(folder)) await removeArtifacts(cloud, folder);
  }
}

function managedFolders(cloud: Cloud): string[] {
  try {
    return cloud.objects
      .listObjects(MANAGED_BUCKET, "")
      .map(({ name }) => name.slice(0, name.indexOf("/")));
  } catch (error) {
    if (error instanceof ApiError && error.status === "NOT_FOUND") return [];
    throw error;
  }
}

/** Where AIP_STORAGE_URI points: a folder in a bucket that Google owns. */
export function storageUriOf(version: VersionRecord): string {
  if (version.artifactFolder === "") return "";
  const { bucket, prefix } = managedFolder(version.artifactFolder);
  return `gs://${bucket}/${prefix.replace(/\/$/, "")}`;
}

export function archiveFile(cloud: Cloud, folder: string): string {
  return join(cloud.artifactsDir, folder, ARCHIVE);
}

function managedFolder(folder: string): { bucket: string; prefix: string } {
  return { bucket: MANAGED_BUCKET, prefix: `${folder}/artifacts/` };
}
