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

/** The folder of the archive that an object belongs to, and whether it is only a part on its way there. */
export function placeOf(objectName: string): { readonly folder: string; readonly isPart: boolean } {
  const folder = objectName.slice(0, objectName.lastIndexOf("/"));
  const isPart = folder.startsWith(PARTS_PREFIX);
  return { folder: isPart ? ARCHIVES_PREFIX + folder.slice(PARTS_PREFIX.length) : folder, isPart };
}
