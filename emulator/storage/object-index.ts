import { noSuchObject } from "./errors.ts";
import type { ObjectRecord } from "./object-record.ts";

/** All generations of one name. */
interface Generations {
  live?: ObjectRecord;
  /** Oldest first. */
  readonly noncurrent: ObjectRecord[];
}

/** The objects of all buckets, in memory: name -> generations. */
export class ObjectIndex {
  readonly #buckets = new Map<string, Map<string, Generations>>();

  clear(): void {
    this.#buckets.clear();
  }

  isEmpty(bucketId: string): boolean {
    return (this.#buckets.get(bucketId)?.size ?? 0) === 0;
  }

  /** The generation named, or the live one; undefined where there is none. */
  find(bucketId: string, name: string, generation?: string): ObjectRecord | undefined {
    const found = this.#buckets.get(bucketId)?.get(name);
    if (generation === undefined || found?.live?.generation === generation) return found?.live;
    return found?.noncurrent.find((record) => record.generation === generation);
  }

  /** Like `find`, but 404 where there is none. */
  get(bucketId: string, bucket: string, name: string, generation?: string): ObjectRecord {
    const found = this.find(bucketId, name, generation);
    if (!found)
      throw noSuchObject(bucket, generation === undefined ? name : `${name}#${generation}`);
    return found;
  }

  /** Live records, or with `versions` all; in no order. */
  records(bucketId: string, versions = false): ObjectRecord[] {
    const found: ObjectRecord[] = [];
    for (const { live, noncurrent } of this.#buckets.get(bucketId)?.values() ?? []) {
      if (versions) found.push(...noncurrent);
      if (live) found.push(live);
    }
    return found;
  }

  /** Puts a record in its place: live, or noncurrent when it bears `timeDeleted`. Replaces its former self. */
  put(record: ObjectRecord): void {
    let bucket = this.#buckets.get(record.bucketId);
    if (!bucket) this.#buckets.set(record.bucketId, (bucket = new Map<string, Generations>()));
    let found = bucket.get(record.name);
    if (!found) bucket.set(record.name, (found = { noncurrent: [] }));
    if (record.timeDeleted === undefined) {
      found.live = record;
      return;
    }
    if (found.live?.generation === record.generation) delete found.live;
    const at = found.noncurrent.findIndex((other) => other.generation === record.generation);
    if (at >= 0) found.noncurrent[at] = record;
    else found.noncurrent.push(record);
  }

  remove(record: ObjectRecord): void {
    const bucket = this.#buckets.get(record.bucketId);
    const found = bucket?.get(record.name);
    if (!bucket || !found) return;
    if (found.live?.generation === record.generation) delete found.live;
    const at = found.noncurrent.findIndex((other) => other.generation === record.generation);
    if (at >= 0) found.noncurrent.splice(at, 1);
    if (!found.live && found.noncurrent.length === 0) bucket.delete(record.name);
  }
}
