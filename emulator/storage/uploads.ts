import type { ContentRange } from "./content-range.ts";
import { type ContentDigest, type HashClaims, verifyClaims } from "./content-hash.ts";
import { invalid, noSuchUpload, StorageError } from "./errors.ts";
import type { Hashing, StreamHash } from "./hashing.ts";
import { Locks } from "./locks.ts";
import { checkObjectSize, type ObjectMetadata, type ObjectRecord } from "./object-record.ts";
import type { Objects } from "./objects.ts";
import type { DataWriter } from "./data-files.ts";
import type { Persistence } from "./persistence.ts";
import type { Preconditions } from "./preconditions.ts";
import { receive, receiveNew } from "./receive.ts";

/** What an upload is to become. */
export interface UploadTarget extends ObjectMetadata {
  readonly bucket: string;
  readonly name: string;
  readonly conditions: Preconditions;
  readonly claims: HashClaims;
}

/** A resumable upload as it is kept; how much has arrived is the size of its data file. */
export interface ResumableDocument {
  readonly kind: "resumable";
  readonly id: string;
  readonly bucketId: string;
  readonly target: UploadTarget;
  /** Bytes the client announced with X-Upload-Content-Length. */
  readonly declaredSize?: number;
  readonly dataId: string;
  readonly createdAt: string;
  /** What it became, once all had arrived. */
  readonly finished?: ObjectRecord;
}

/** Where an upload stands. `received`: bytes that need not be sent again. */
export type UploadProgress =
  | { readonly done: false; readonly received: number }
  | { readonly done: true; readonly record: ObjectRecord };

/** All chunks but the last must hold a multiple of this, bytes. */
const CHUNK_GRANULARITY = 256 * 1024;
/** Cloud Storage forgets an upload session a week after it began. */
const UPLOAD_LIFETIME_MS = 7 * 86_400_000;

/** Whether an upload that began then (RFC 3339) is forgotten by now. */
export function isExpired(createdAt: string, now: Date): boolean {
  return now.getTime() - Date.parse(createdAt) > UPLOAD_LIFETIME_MS;
}

/** The bytes of one request; `destroy` ends a request that its client has given up. */
export interface UploadBody extends AsyncIterable<Uint8Array> {
  destroy(): void;
}

interface Session {
  document: ResumableDocument;
  /** Hash of what has arrived; missing after a restart, then made from the file. */
  hash?: StreamHash;
  /** The body being received now. */
  active?: UploadBody;
}

/** Uploads: whole ones in one request, and resumable sessions that outlive requests and restarts. */
export class Uploads {
  readonly #persistence: Persistence;
  readonly #objects: Objects;
  readonly #hashing: Hashing;
  readonly #now: () => Date;
  readonly #sessions = new Map<string, Session>();
  readonly #locks = new Locks();

  constructor(persistence: Persistence, objects: Objects, hashing: Hashing, now: () => Date) {
    this.#persistence = persistence;
    this.#objects = objects;
    this.#hashing = hashing;
    this.#now = now;
  }

  /** Takes over a session from disk; `recorded` is the object that its data has become, if it has. */
  async load(document: ResumableDocument, recorded: ObjectRecord | undefined): Promise<void> {
    if (isExpired(document.createdAt, this.#now())) {
      await this.#persistence.removeDocument("uploads", document.id);
      return;
    }
    const finished = document.finished ?? recorded;
    this.#sessions.set(document.id, { document: finished ? { ...document, finished } : document });
  }

  clear(): void {
    for (const session of this.#sessions.values()) session.active?.destroy();
    this.#sessions.clear();
  }

  /** Data files of sessions that still wait for bytes. */
  dataIds(): string[] {
    return [...this.#sessions.values()]
      .filter(({ document }) => !document.finished)
      .map(({ document }) => document.dataId);
  }

  /** Stores one body as one object; nothing is kept where its hashes or conditions fail. */
  async storeWhole(target: UploadTarget, body: AsyncIterable<Uint8Array>): Promise<ObjectRecord> {
    const bucket = this.#objects.checkInsert(target.bucket, target.name, target.conditions);
    return receiveNew(body, this.#persistence, this.#hashing, (dataId, digest) =>
      this.#insert(target, bucket.id, dataId, digest, target.claims),
    );
  }

  /** Begins a resumable upload; answers its id. */
  async start(target: UploadTarget, declaredSize: number | undefined): Promise<string> {
    const bucket = this.#objects.checkInsert(target.bucket, target.name, target.conditions);
    if (declaredSize !== undefined) checkObjectSize(declaredSize);
    await this.#forgetExpired();
    const document: ResumableDocument = {
      kind: "resumable",
      id: this.#persistence.newId(),
      bucketId: bucket.id,
      target,
      declaredSize,
      dataId: this.#persistence.newId(),
      createdAt: this.#now().toISOString(),
    };
    await this.#persistence.writeDocument("uploads", document.id, document);
    this.#sessions.set(document.id, { document, hash: this.#hashing.start() });
    return document.id;
  }

  /** "b/BUCKET/o/NAME" of an upload, for the request log; undefined for an unknown id. */
  resourceOf(id: string): string | undefined {
    const target = this.#sessions.get(id)?.document.target;
    return target && `b/${target.bucket}/o/${target.name}`;
  }

  /**
   * Takes the bytes of one request, or answers a status query. Bytes that arrived before are skipped; a connection that
   * breaks keeps what arrived. The call that brings the last byte makes the object.
   *
   * @throws StorageError 404 unknown id, 400 sizes or hashes that disagree, 412 conditions, 503 a gap before the bytes.
   */
  append(
    id: string,
    range: ContentRange,
    body: UploadBody,
    claims: HashClaims = {},
  ): Promise<UploadProgress> {
    const session = this.#session(id);
    // A client that asks or sends again has given up its former request, whether or not its socket says so.
    session.active?.destroy();
    return this.#locks.run(id, async () => {
      const { document } = this.#session(id);
      if (document.finished) return { done: true, record: document.finished };
      checkDeclaredSize(document, range.total);
      checkObjectSize(range.total ?? 0);

      const data = await this.#persistence.continueData(document.dataId);
      let total = range.total;
      try {
        if (session.hash?.size !== data.size)
          session.hash = await this.#rehash(document.dataId, data.size);
        if (range.kind === "bytes") {
          session.active = body;
          const end = await appendBytes(range, body, data, session.hash);
          total ??= range.last === undefined ? end : undefined;
        }
      } catch (error) {
        if (!(error instanceof StorageError) && session.hash?.size !== data.size)
          delete session.hash;
        throw error;
      } finally {
        delete session.active;
        await data.close();
      }
      if (total === undefined || data.size < total) return { done: false, received: data.size };
      checkDeclaredSize(document, total);
      return { done: true, record: await this.#finish(session, total, claims) };
    });
  }

  /** Forgets an upload and what has arrived of it. */
  cancel(id: string): Promise<void> {
    this.#session(id).active?.destroy();
    return this.#locks.run(id, async () => {
      const { document } = this.#session(id);
      if (document.finished) throw noSuchUpload(id);
      await this.#drop(document);
    });
  }

  #session(id: string): Session {
    const session = this.#sessions.get(id);
    if (!session || isExpired(session.document.createdAt, this.#now())) throw noSuchUpload(id);
    return session;
  }

  async #finish(session: Session, total: number, claims: HashClaims): Promise<ObjectRecord> {
    const { document, hash = this.#hashing.start() } = session;
    try {
      if (hash.size > total) {
        throw invalid(
          `The upload is stated to have ${total} bytes, but ${hash.size} have arrived.`,
        );
      }
      const { target, bucketId, dataId } = document;
      const stated = { ...target.claims, ...claims };
      const finished = await this.#insert(target, bucketId, dataId, await hash.digest(), stated);
      session.document = { ...document, finished };
      hash.end();
    } catch (error) {
      await this.#drop(document);
      throw error;
    }
    // Kept, so that a client that lost the answer can ask again and gets the object.
    await this.#persistence.writeDocument("uploads", document.id, session.document);
    return session.document.finished!;
  }

  async #insert(
    target: UploadTarget,
    bucketId: string,
    dataId: string,
    digest: ContentDigest,
    claims: HashClaims,
  ): Promise<ObjectRecord> {
    verifyClaims(claims, digest);
    const { bucket, name, contentType, metadata, fields, conditions } = target;
    const described =
      contentType === undefined ? { metadata, fields } : { contentType, metadata, fields };
    return this.#objects.insert(
      { ...described, bucket, bucketId, name, dataId, digest },
      conditions,
    );
  }

  async #drop(document: ResumableDocument): Promise<void> {
    await this.#persistence.removeDocument("uploads", document.id);
    this.#sessions.get(document.id)?.hash?.end();
    this.#sessions.delete(document.id);
    // What became an object is the object's.
    if (!document.finished) await this.#persistence.removeData(document.dataId);
  }

  /** Forgets what nobody has finished in time, with its bytes. */
  async #forgetExpired(): Promise<void> {
    for (const [id, { document }] of this.#sessions) {
      if (!isExpired(document.createdAt, this.#now())) continue;
      await this.#locks.run(id, async () => {
        const session = this.#sessions.get(id);
        if (session) await this.#drop(session.document);
      });
    }
  }

  async #rehash(dataId: string, size: number): Promise<StreamHash> {
    const hash = this.#hashing.start();
    const content = await this.#persistence.openData(dataId);
    for await (const chunk of content.stream(0, size)) await hash.update(chunk as Buffer);
    return hash;
  }
}

/** Writes the bytes of one request; answers where in the upload its body ended. */
async function appendBytes(
  range: ContentRange & { kind: "bytes" },
  body: UploadBody,
  data: DataWriter,
  hash: StreamHash,
): Promise<number> {
  const { start, last, total } = range;
  if (start > data.size) {
    throw new StorageError(
      "UNAVAILABLE",
      503,
      "backendError",
      `Invalid request. According to the Content-Range header, the upload offset is ${start} byte(s), which exceeds already uploaded size of ${data.size} byte(s).`,
    );
  }
  let length = last === undefined ? Infinity : last - start + 1;
  if (last !== undefined && last + 1 !== total) {
    if (length < CHUNK_GRANULARITY) {
      throw invalid(
        `Invalid request. The number of bytes uploaded is required to be equal or greater than ${CHUNK_GRANULARITY}, except for the final request. The received request contained ${length} bytes, which does not meet this requirement.`,
      );
    }
    length -= length % CHUNK_GRANULARITY;
  }
  const window = { from: data.size - start, to: length };
  const sent = await receive(body, data, hash, window);
  if (last !== undefined && sent !== last - start + 1) {
    throw invalid(
      `The Content-Range header states ${last - start + 1} bytes, but the request contained ${sent}.`,
    );
  }
  return start + sent;
}

function checkDeclaredSize(document: ResumableDocument, total: number | undefined): void {
  if (
    total !== undefined &&
    document.declaredSize !== undefined &&
    total !== document.declaredSize
  ) {
    throw invalid(
      `The upload was started with X-Upload-Content-Length ${document.declaredSize}, but now states ${total} bytes.`,
    );
  }
}
