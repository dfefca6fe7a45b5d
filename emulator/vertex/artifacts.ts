import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import { ApiError } from "../errors.ts";
import { isPrebuiltPyTorch } from "../runtime/images.ts";
import type { Cloud, ObjectSource } from "./cloud.ts";

/** The prebuilt PyTorch images serve exactly this file. */
export const ARCHIVE = "model.mar";

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
  if (isPrebuiltPyTorch(imageUri)) checkArchive(names, prefix, artifactUri);
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

/** Copies the artifacts into a folder of the emulator's own, so a later change in the bucket has no effect. */
export async function copyArtifacts(cloud: Cloud, artifacts: Artifacts): Promise<string> {
  const folder = randomUUID();
  const target = join(cloud.artifactsDir, folder);
  try {
    for (const name of artifacts.names) {
      const file = normalize(join(target, name.slice(artifacts.prefix.length)));
      // An object name may hold "..": it must not lead out of the folder.
      if (!file.startsWith(target + sep)) continue;
      await mkdir(dirname(file), { recursive: true });
      await cloud.objects.copyObjectTo(artifacts.bucket, name, file);
    }
  } catch (error) {
    await removeArtifacts(cloud, folder);
    throw error;
  }
  return folder;
}

export async function removeArtifacts(cloud: Cloud, folder: string): Promise<void> {
  if (folder === "") return;
  await rm(join(cloud.artifactsDir, folder), { recursive: true, force: true });
}
