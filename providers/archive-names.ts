/** Folder of every archive in a bucket. */
export const ARCHIVES_PREFIX = "archives/";

/** Parts stand apart: a prebuilt container wants one model.mar in its folder, and Vertex AI copies all that is in there. */
const PARTS_PREFIX = `${ARCHIVES_PREFIX}.parts/`;

/** Name of an archive's object. */
export function archiveName(digest: string): string {
  return `${ARCHIVES_PREFIX}${digest}/model.mar`;
}

/** Folder of what has arrived of an archive that is being sent. */
export function partsPrefix(digest: string): string {
  return `${PARTS_PREFIX}${digest}/`;
}

/** Name of an object beside the archive, by its path there: "weights/unet/model.safetensors". */
export function besideName(digest: string, path: string): string {
  return `${ARCHIVES_PREFIX}${digest}/${path}`;
}

/** Where an object under the archives belongs. */
export interface ArchivePlace {
  /** "archives/DIGEST" of the archive that it belongs to, or will once it is whole. */
  readonly folder: string;
  readonly kind: "archive" | "beside" | "part";
}

export function placeOf(objectName: string): ArchivePlace {
  const isPart = objectName.startsWith(PARTS_PREFIX);
  const inside = objectName.slice(isPart ? PARTS_PREFIX.length : ARCHIVES_PREFIX.length);
  const digest = inside.slice(0, inside.indexOf("/"));
  const kind = isPart ? "part" : objectName === archiveName(digest) ? "archive" : "beside";
  return { folder: ARCHIVES_PREFIX + digest, kind };
}
