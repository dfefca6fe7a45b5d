import type { Buckets } from "./buckets.ts";
import { parseContentRange } from "./content-range.ts";
import { type HashClaims, toGoogHash } from "./content-hash.ts";
import { invalid, required, StorageError } from "./errors.ts";
import { type Answer, claimsOf, type Exchange, headerOf, readJson } from "./http.ts";
import { type JsonObject, stringAt } from "./json.ts";
import { boundaryOf, MultipartReader } from "./multipart-related.ts";
import { refuseAcl } from "./object-routes.ts";
import { checkObjectSize, type ObjectRecord, toObjectMetadata } from "./object-record.ts";
import { parsePreconditions } from "./preconditions.ts";
import { toObjectResource } from "./resources.ts";
import type { Route } from "./routes.ts";
import type { Uploads, UploadTarget } from "./uploads.ts";

const UPLOAD = "/upload/storage/v1/b/{bucket}/o";
/** Path of resumable uploads in Google's older discovery documents. */
const RESUMABLE = "/resumable/upload/storage/v1/b/{bucket}/o";

/** The JSON API's uploads: media, multipart and resumable. */
export function uploadRoutes(buckets: Buckets, uploads: Uploads): Route[] {
  const insert = async (exchange: Exchange): Promise<Answer> => {
    const uploadId = exchange.query.get("upload_id");
    if (uploadId) return append(buckets, uploads, uploadId, exchange);
    refuseAcl(buckets, exchange);
    checkObjectSize(Number(headerOf(exchange.req, "content-length") ?? 0));
    const type =
      exchange.query.get("uploadType") ?? headerOf(exchange.req, "x-goog-upload-protocol");
    switch (type) {
      case "media":
        return insertMedia(buckets, uploads, exchange);
      case "multipart":
        return insertMultipart(buckets, uploads, exchange);
      case "resumable":
        return startResumable(uploads, exchange);
      default:
        throw invalid(
          `Upload type "${type ?? ""}" is not supported. Use uploadType=media, multipart or resumable.`,
        );
    }
  };
  const resource = ({ params, query }: Exchange): string =>
    uploads.resourceOf(query.get("upload_id") ?? "") ??
    `b/${params.bucket}/o${query.has("name") ? `/${query.get("name")}` : ""}`;

  return [UPLOAD, RESUMABLE].flatMap((path) => [
    { method: "POST", path, name: "storage.objects.insert", resource, run: insert },
    { method: "PUT", path, name: "storage.objects.insert", resource, run: insert },
    {
      method: "DELETE",
      path,
      name: "storage.objects.insert",
      resource,
      run: async ({ query }: Exchange) => {
        await uploads.cancel(query.get("upload_id") ?? "");
        throw new StorageError(
          "CANCELLED",
          499,
          "clientClosedRequest",
          "The upload was cancelled.",
        );
      },
    },
  ]);
}

async function insertMedia(
  buckets: Buckets,
  uploads: Uploads,
  exchange: Exchange,
): Promise<Answer> {
  const target = toTarget(exchange, {
    contentType: headerOf(exchange.req, "content-type") ?? null,
  });
  return stored(buckets, exchange, await uploads.storeWhole(target, exchange.body));
}

async function insertMultipart(
  buckets: Buckets,
  uploads: Uploads,
  exchange: Exchange,
): Promise<Answer> {
  const { req } = exchange;
  const boundary = boundaryOf(headerOf(req, "content-type") ?? "");
  const reader = new MultipartReader(exchange.body, boundary);
  try {
    const resource = await readJson((await reader.first()).body);
    const media = await reader.next();
    const target = toTarget(exchange, {
      ...(media.contentType === undefined ? {} : { contentType: media.contentType }),
      ...resource,
    });
    const record = await uploads.storeWhole(target, media.body);
    await reader.drain();
    return stored(buckets, exchange, record);
  } finally {
    await reader.release();
  }
}

async function startResumable(uploads: Uploads, exchange: Exchange): Promise<Answer> {
  const { req, body, query, origin, params } = exchange;
  const resource = await readJson(body);
  const announced = headerOf(req, "x-upload-content-type");
  const target = toTarget(exchange, {
    ...(announced === undefined ? {} : { contentType: announced }),
    ...resource,
  });
  const length = headerOf(req, "x-upload-content-length");
  if (length !== undefined && !/^\d+$/.test(length)) {
    throw invalid(`Invalid X-Upload-Content-Length "${length}". Send whole bytes.`);
  }
  const uploadId = await uploads.start(target, length === undefined ? undefined : Number(length));
  const link = new URLSearchParams(query);
  link.set("uploadType", "resumable");
  link.set("name", target.name);
  link.set("upload_id", uploadId);
  return {
    status: 200,
    headers: {
      location: `${origin}/upload/storage/v1/b/${params.bucket}/o?${link.toString()}`,
      "x-guploader-uploadid": uploadId,
    },
  };
}

async function append(
  buckets: Buckets,
  uploads: Uploads,
  uploadId: string,
  exchange: Exchange,
): Promise<Answer> {
  const { req } = exchange;
  const range = parseContentRange(headerOf(req, "content-range"));
  const progress = await uploads.append(uploadId, range, exchange.body, claimsOf(req));
  if (progress.done) return stored(buckets, exchange, progress.record);
  const headers: Record<string, string> = { "x-guploader-uploadid": uploadId };
  // Without a single byte there is no range to state.
  if (progress.received > 0) headers.range = `bytes=0-${progress.received - 1}`;
  return { status: 308, headers };
}

/** Puts together what query, headers and metadata say of the object. */
function toTarget({ req, query, params }: Exchange, resource: JsonObject): UploadTarget {
  const name = query.get("name") ?? stringAt(resource, "name");
  if (!name) throw required("name");
  const extra: JsonObject = {};
  for (const field of ["contentEncoding", "kmsKeyName"]) {
    const value = query.get(field);
    if (value) extra[field] = value;
  }
  return {
    ...toObjectMetadata({ ...resource, ...extra }),
    bucket: params.bucket ?? "",
    name,
    conditions: parsePreconditions(query),
    claims: { ...claimsOf(req), ...statedHashes(resource) },
  };
}

function statedHashes(resource: JsonObject): HashClaims {
  const md5Hash = stringAt(resource, "md5Hash");
  const crc32c = stringAt(resource, "crc32c");
  return { ...(md5Hash ? { md5Hash } : {}), ...(crc32c ? { crc32c } : {}) };
}

function stored(buckets: Buckets, { origin }: Exchange, record: ObjectRecord): Answer {
  const headers = { "x-goog-hash": toGoogHash(record), "x-goog-generation": record.generation };
  return {
    status: 200,
    headers,
    json: toObjectResource(record, buckets.get(record.bucket), origin),
  };
}
