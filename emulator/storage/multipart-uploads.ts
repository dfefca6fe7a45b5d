import type { Copies } from "./copies.ts";
import { type HashClaims, verifyClaims } from "./content-hash.ts";
import { invalid, noSuchUpload } from "./errors.ts";
import type { Hashing } from "./hashing.ts";
import { Locks } from "./locks.ts";
import { checkObjectSize, type ObjectMetadata, type ObjectRecord } from "./object-record.ts";
import type { Objects } from "./objects.ts";
import type { Persistence } from "./persistence.ts";
import type { Preconditions } from "./preconditions.ts";
import { receiveNew } from "./receive.ts";
import { isExpired } from "./uploads.ts";

/** A part that has arrived whole. */
export interface UploadedPart {
  readonly partNumber: number;
  /** Quoted hexadecimal MD5, as XML multipart uploads give it. */
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  readonly crc32c: string;
  readonly md5Hash: string;
  readonly dataId: string;
}

/** An XML multipart upload as it is kept. */
export interface MultipartDocument extends ObjectMetadata {
  readonly kind: "multipart";
  readonly id: string;
  readonly bucketId: string;
  readonly bucket: string;
  readonly name: string;
  /** The data file that the parts will be strung together in. */
  readonly dataId: string;
  readonly createdAt: string;
  readonly parts: readonly UploadedPart[];
}

const MAX_PARTS = 10_000;
/** All parts but the last must be at least this long, bytes. */
const MAX_PART_BYTES = 5 * 1024 ** 3;
const MIN_PART_BYTES = 5 * 1024 * 1024;

/** Uploads whose parts arrive in any order and at the same time (XML API multipart). */
export class MultipartUploads {
  readonly #persistence: Persistence;
  readonly #objects: Objects;
  readonly #copies: Copies;
  readonly #hashing: Hashing;
  readonly #now: () => Date;
  readonly #documents = new Map<string, MultipartDocument>();
  readonly #locks = new Locks();

  constructor(
    persistence: Persistence,
    objects: Objects,
    copies: Copies,
    hashing: Hashing,
    now: () => Date,
  ) {
    this.#persistence = persistence;
    this.#objects = objects;
    this.#copies = copies;
    this.#hashing = hashing;
    this.#now = now;
  }

  /** Takes over an upload from disk; `recorded` is the object that it has become, if it has. */
  async load(document: MultipartDocument, recorded: ObjectRecord | undefined): Promise<void> {
    if (recorded || isExpired(document.createdAt, this.#now())) {
      await this.#persistence.removeDocument("uploads", document.id);
    } else {
      this.#documents.set(document.id, document);
    }
  }

  clear(): void {
    this.#documents.clear();
  }

  dataIds(): string[] {
    return [...this.#documents.values()].flatMap(({ parts }) => parts.map(({ dataId }) => dataId));
  }

  async start(bucket: string, name: string, metadata: ObjectMetadata): Promise<string> {
    await this.#forgetExpired();
    const document: MultipartDocument = {
      ...metadata,
      kind: "multipart",
      id: this.#persistence.newId(),
      bucketId: this.#objects.checkInsert(bucket, name, {}).id,
      bucket,
      name,
      dataId: this.#persistence.newId(),
      createdAt: this.#now().toISOString(),
      parts: [],
    };
    await this.#store(document);
    return document.id;
  }

  /** Stores one part, in place of an earlier one of the same number. Parts of one upload may arrive at the same time. */
  async uploadPart(
    id: string,
    address: { bucket: string; name: string },
    partNumber: number,
    body: AsyncIterable<Uint8Array>,
    claims: HashClaims,
  ): Promise<UploadedPart> {
    this.#get(id, address);
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS) {
      throw invalid(`Part number ${partNumber} is not between 1 and ${MAX_PARTS}.`);
    }
    return receiveNew(body, this.#persistence, this.#hashing, async (dataId, digest) => {
      if (digest.size > MAX_PART_BYTES) {
        throw invalid(`A part can have at most ${MAX_PART_BYTES} bytes, not ${digest.size}.`);
      }
      verifyClaims(claims, digest);
      const etag = `"${Buffer.from(digest.md5Hash, "base64").toString("hex")}"`;
      const part = { ...digest, partNumber, etag, dataId };
      await this.#locks.run(id, () => this.#addPart(id, address, part));
      return part;
    });
  }

  /** The parts that have arrived, by number. */
  parts(id: string, address: { bucket: string; name: string }): UploadedPart[] {
    return [...this.#get(id, address).parts].sort((a, b) => a.partNumber - b.partNumber);
  }

  /** Makes the object out of the listed parts. */
  complete(
    id: string,
    address: { bucket: string; name: string },
    listed: readonly { partNumber: number; etag: string }[],
    conditions: Preconditions,
  ): Promise<ObjectRecord> {
    return this.#locks.run(id, async () => {
      const document = this.#get(id, address);
      const parts = selectParts(document, listed);
      checkObjectSize(parts.reduce((sum, { size }) => sum + size, 0));
      let record: ObjectRecord;
      try {
        const digest = await this.#copies.concatenate(parts, document.dataId);
        const { bucket, bucketId, name, dataId, contentType, metadata, fields } = document;
        const described =
          contentType === undefined ? { metadata, fields } : { contentType, metadata, fields };
        record = await this.#objects.insert(
          { ...described, bucket, bucketId, name, dataId, digest, componentCount: parts.length },
          conditions,
        );
      } catch (error) {
        await this.#persistence.removeData(document.dataId);
        throw error;
      }
      await this.#drop(document);
      return record;
    });
  }

  abort(id: string, address: { bucket: string; name: string }): Promise<void> {
    return this.#locks.run(id, () => this.#drop(this.#get(id, address)));
  }

  #get(id: string, address: { bucket: string; name: string }): MultipartDocument {
    const document = this.#documents.get(id);
    if (!document || isExpired(document.createdAt, this.#now())) throw noSuchUpload(id);
    if (document.bucket !== address.bucket || document.name !== address.name) {
      throw noSuchUpload(id);
    }
    return document;
  }

  /** Forgets what nobody has completed in time, with its parts. */
  async #forgetExpired(): Promise<void> {
    for (const [id, { createdAt }] of this.#documents) {
      if (!isExpired(createdAt, this.#now())) continue;
      await this.#locks.run(id, async () => {
        const document = this.#documents.get(id);
        if (document) await this.#drop(document);
      });
    }
  }

  async #addPart(
    id: string,
    address: { bucket: string; name: string },
    part: UploadedPart,
  ): Promise<void> {
    const document = this.#get(id, address);
    const replaced = document.parts.filter(({ partNumber }) => partNumber === part.partNumber);
    const others = document.parts.filter(({ partNumber }) => partNumber !== part.partNumber);
    await this.#store({ ...document, parts: [...others, part] });
    for (const { dataId } of replaced) await this.#persistence.removeData(dataId);
  }

  async #store(document: MultipartDocument): Promise<void> {
    await this.#persistence.writeDocument("uploads", document.id, document);
    this.#documents.set(document.id, document);
  }

  async #drop(document: MultipartDocument): Promise<void> {
    await this.#persistence.removeDocument("uploads", document.id);
    this.#documents.delete(document.id);
    for (const { dataId } of document.parts) await this.#persistence.removeData(dataId);
  }
}

function selectParts(
  document: MultipartDocument,
  listed: readonly { partNumber: number; etag: string }[],
): UploadedPart[] {
  if (listed.length === 0) throw invalid("A multipart upload is completed with at least one part.");
  return listed.map(({ partNumber, etag }, index) => {
    const part = document.parts.find((candidate) => candidate.partNumber === partNumber);
    if (part?.etag.replaceAll('"', "") !== etag.replaceAll('"', "")) {
      throw invalid(`Part ${partNumber} was not uploaded with ETag ${etag}. Upload it again.`);
    }
    if (index > 0 && partNumber <= listed[index - 1]!.partNumber) {
      throw invalid(`Part ${partNumber} is listed out of order. List parts by ascending number.`);
    }
    if (index < listed.length - 1 && part.size < MIN_PART_BYTES) {
      throw invalid(
        `Part ${partNumber} has ${part.size} bytes; all but the last must have at least ${MIN_PART_BYTES}.`,
      );
    }
    return part;
  });
}
