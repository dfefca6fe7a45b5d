import { modelClient, storageClient } from "./clients.ts";
import { requireConnection } from "./connection.ts";
import { explain, isNotFound } from "./errors.ts";
import { locationOf } from "./names.ts";
import { runningUnder } from "./operations.ts";
import { retrying } from "./retry.ts";
import { listVersions, pruneArchives } from "./versions.ts";

/** Where archives lie, which of them is declared, and whose versions name the others. */
export interface DeclaredArchive {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
  readonly bucket: string;
  /** SHA-256 of the declared archive, hex. */
  readonly digest: string;
  /** projects/P/locations/L/models/M. */
  readonly usedBy: string;
}

/**
 * Deletes what an earlier run has sent and then was stopped, before any version named it: every archive of this stack but
 * the declared one and those of the model's versions. While a version is being made, it may be its: then all stay.
 */
export async function deleteAbandonedArchives(target: DeclaredArchive): Promise<void> {
  const { bucket, digest, stackUid, usedBy } = target;
  try {
    const connection = requireConnection(target.emulator);
    await retrying(async () => {
      const client = await modelClient(connection, locationOf(usedBy));
      if ((await runningUnder(client, usedBy, ["uploadModel"])).length > 0) return;
      const named = await listVersions(client, usedBy);
      const declared = { artifactUri: `gs://${bucket}/archives/${digest}` };
      const storage = await storageClient(connection, target.project);
      await pruneArchives(storage, bucket, stackUid, [...named, declared]);
    });
  } catch (error) {
    if (isNotFound(error)) return;
    throw explain(`delete archives that no version needs from bucket "${bucket}"`, error);
  }
}
