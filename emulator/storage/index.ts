import type { IncomingMessage, ServerResponse } from "node:http";

import type { Around } from "../calls.ts";
import { bucketRoutes } from "./bucket-routes.ts";
import { Buckets } from "./buckets.ts";
import { Copies } from "./copies.ts";
import { copyRoutes } from "./copy-routes.ts";
import { Generations } from "./generations.ts";
import { Hashing } from "./hashing.ts";
import { Locks } from "./locks.ts";
import { type Folder, ManagedBuckets } from "./managed-buckets.ts";
import { type MultipartDocument, MultipartUploads } from "./multipart-uploads.ts";
import type { ObjectRecord } from "./object-record.ts";
import { objectRoutes } from "./object-routes.ts";
import { Objects } from "./objects.ts";
import { Persistence } from "./persistence.ts";
import { RestEdge } from "./rest.ts";
import { uploadRoutes } from "./upload-routes.ts";
import { type ResumableDocument, Uploads } from "./uploads.ts";
import { xmlRoutes } from "./xml.ts";

export type { Folder } from "./managed-buckets.ts";
export type { ObjectRecord } from "./object-record.ts";

export interface StorageOptions {
  /** Folder of the storage's own; made when it is missing. All state is in it. */
  readonly dataDir: string;
  readonly now: () => Date;
  /** Wraps the work of each API call. */
  readonly around: Around;
}

/** What other parts of the local cloud read of Cloud Storage. */
export interface ObjectStore {
  /** Live objects whose names begin with `prefix`, by name; throws ApiError NOT_FOUND for an unknown bucket. */
  listObjects(bucket: string, prefix: string): ObjectRecord[];
  /**
   * Puts an object's content at `targetFile`, which must not exist: as a hard link where the file system can, so the file
   * must not be written to; as a copy where the object was composed. Throws ApiError NOT_FOUND where there is no such object.
   */
  linkObjectTo(bucket: string, name: string, targetFile: string): Promise<void>;
  /**
   * Copies the live objects of `source`, as they are at one moment, into a bucket that Google owns: no project lists it,
   * everyone may read its objects, nobody else may write to it. It is made when it is missing; no content is copied.
   * Throws ApiError NOT_FOUND for an unknown source bucket, ALREADY_EXISTS where a project owns the target; whatever it
   * throws, nothing stays in the target. After a crash meanwhile some objects may: `removeFolder` removes them.
   */
  copyFolder(source: Folder, target: Folder): Promise<void>;
  /** Removes every object of a folder in a managed bucket. One that is not there, or only in part, is fine. */
  removeFolder(folder: Folder): Promise<void>;
}

/** The local Cloud Storage: JSON API and XML API over one store on disk. */
export interface Storage {
  /** Answers the request and resolves true; false, with nothing touched, where the path is not Cloud Storage's. */
  handle(req: IncomingMessage, res: ServerResponse, url: URL): Promise<boolean>;
  readonly objects: ObjectStore;
  /** Every bucket of a project with its number of live objects. */
  summary(): { buckets: { name: string; objects: number }[] };
  /** Forgets and removes everything. */
  reset(): Promise<void>;
  /** Waits for changes under way; what was answered is on disk already. */
  close(): Promise<void>;
}

/** Opens the storage on its folder, with all that was answered before, and ends what a crash left half done. */
export async function createStorage(options: StorageOptions): Promise<Storage> {
  const { dataDir, now, around } = options;
  const persistence = await Persistence.open(dataDir);
  const generations = new Generations(now);
  const locks = new Locks();
  const buckets = new Buckets(persistence, generations, locks, now);
  const objects = new Objects(persistence, buckets, generations, locks, now);
  const copies = new Copies(persistence, objects, locks);
  const hashing = new Hashing();
  const uploads = new Uploads(persistence, objects, hashing, now);
  const multipartUploads = new MultipartUploads(persistence, objects, copies, hashing, now);
  await load(persistence, buckets, objects, uploads, multipartUploads);

  const managed = new ManagedBuckets(buckets, objects, copies);
  const edge = new RestEdge(
    [
      ...bucketRoutes(buckets, objects, managed),
      ...objectRoutes(buckets, objects),
      ...copyRoutes(objects, copies),
      ...uploadRoutes(buckets, uploads),
    ],
    xmlRoutes(objects, uploads, multipartUploads),
    around,
    (method, params) => managed.checkCall(method, params),
  );
  return {
    handle: (req, res, url) => edge.handle(req, res, url),
    objects: {
      listObjects: (bucket, prefix) => objects.listObjects(bucket, prefix),
      linkObjectTo: (bucket, name, file) => objects.linkObjectTo(bucket, name, file),
      copyFolder: (source, target) => managed.copyFolder(source, target),
      removeFolder: (folder) => managed.removeFolder(folder),
    },
    summary: () => ({
      buckets: buckets
        .list()
        .filter((bucket) => !bucket.managed)
        .map(({ id, name }) => ({ name, objects: objects.count(id) })),
    }),
    reset: async () => {
      uploads.clear();
      await locks.idle();
      multipartUploads.clear();
      objects.clear();
      buckets.clear();
      await persistence.clear();
    },
    close: async () => {
      await locks.idle();
      await hashing.close();
    },
  };
}

async function load(
  persistence: Persistence,
  buckets: Buckets,
  objects: Objects,
  uploads: Uploads,
  multipartUploads: MultipartUploads,
): Promise<void> {
  await buckets.load();
  const records = await objects.load();
  for (const raw of await persistence.readDocuments("uploads")) {
    const document = raw as ResumableDocument | MultipartDocument;
    const recorded = records.get(document.dataId);
    if (document.kind === "resumable") await uploads.load(document, recorded);
    else await multipartUploads.load(document, recorded);
  }
  await persistence.removeDataExcept(
    new Set([...records.keys(), ...uploads.dataIds(), ...multipartUploads.dataIds()]),
  );
}
