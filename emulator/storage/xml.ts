import type { ApiError } from "../errors.ts";
import { toGoogHash } from "./content-hash.ts";
import { invalid, notServed } from "./errors.ts";
import { toEtag } from "./generations.ts";
import { type Answer, claimsOf, contentAnswer, type Exchange, headerOf, readText } from "./http.ts";
import type { MultipartUploads } from "./multipart-uploads.ts";
import type { ObjectMetadata, ObjectRecord } from "./object-record.ts";
import type { Objects } from "./objects.ts";
import { parsePreconditions, type Preconditions } from "./preconditions.ts";
import { decodeSegment, type Route } from "./routes.ts";
import type { Uploads } from "./uploads.ts";

/** The XML API's methods on `/BUCKET/OBJECT`, told apart by HTTP method and query. */
export interface XmlRoutes {
  readonly startUpload: Route;
  readonly uploadPart: Route;
  readonly listParts: Route;
  readonly completeUpload: Route;
  readonly abortUpload: Route;
  readonly getObject: Route;
  readonly putObject: Route;
  readonly deleteObject: Route;
}

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";
/** What a query names beside the object itself; taken for a plain PUT it would be stored as content. */
const OTHER_RESOURCES = [
  "acl",
  "compose",
  "encryption",
  "legal-hold",
  "restore",
  "retention",
  "tagging",
];
/** Which of XML's two media types Google answers with is not documented; @google-cloud/storage 8 reads this one only. */
const XML = { "content-type": "text/xml; charset=UTF-8" };

export function xmlRoutes(
  objects: Objects,
  uploads: Uploads,
  multipartUploads: MultipartUploads,
): XmlRoutes {
  const route = (method: string, name: string, run: Route["run"]): Route => ({
    method,
    path: "/{bucket}/{object}",
    name,
    run,
  });
  return {
    startUpload: route("POST", "storage.multipartUploads.create", async (exchange) => {
      const { bucket, name } = addressOf(exchange);
      const id = await multipartUploads.start(bucket, name, metadataOf(exchange));
      return xml(
        `<InitiateMultipartUploadResult xmlns="${NAMESPACE}">${element("Bucket", bucket)}${element("Key", name)}${element("UploadId", id)}</InitiateMultipartUploadResult>`,
      );
    }),
    uploadPart: route("PUT", "storage.multipartUploads.upload", async (exchange) => {
      const { req, query } = exchange;
      const part = await multipartUploads.uploadPart(
        query.get("uploadId") ?? "",
        addressOf(exchange),
        Number(query.get("partNumber")),
        exchange.body,
        claimsOf(req),
      );
      return { status: 200, headers: { etag: part.etag, "x-goog-hash": toGoogHash(part) } };
    }),
    listParts: route("GET", "storage.multipartUploads.listParts", async (exchange) => {
      const address = addressOf(exchange);
      const id = exchange.query.get("uploadId") ?? "";
      const parts = multipartUploads.parts(id, address).map((part) => {
        const { partNumber, etag, size } = part;
        return `<Part>${element("PartNumber", String(partNumber))}${element("ETag", etag)}${element("Size", String(size))}</Part>`;
      });
      return xml(
        `<ListPartsResult xmlns="${NAMESPACE}">${element("Bucket", address.bucket)}${element("Key", address.name)}${element("UploadId", id)}${element("IsTruncated", "false")}${parts.join("")}</ListPartsResult>`,
      );
    }),
    completeUpload: route("POST", "storage.multipartUploads.complete", async (exchange) => {
      const address = addressOf(exchange);
      const record = await multipartUploads.complete(
        exchange.query.get("uploadId") ?? "",
        address,
        parseParts(await readText(exchange.body)),
        conditionsOf(exchange),
      );
      const location = `${exchange.origin}/${address.bucket}/${encodeURI(address.name)}`;
      return xml(
        `<CompleteMultipartUploadResult xmlns="${NAMESPACE}">${element("Location", location)}${element("Bucket", address.bucket)}${element("Key", address.name)}${element("ETag", toXmlEtag(record))}</CompleteMultipartUploadResult>`,
        { "x-goog-hash": toGoogHash(record), "x-goog-generation": record.generation },
      );
    }),
    abortUpload: route("DELETE", "storage.multipartUploads.abort", async (exchange) => {
      await multipartUploads.abort(exchange.query.get("uploadId") ?? "", addressOf(exchange));
      return { status: 204 };
    }),
    getObject: route("GET", "storage.objects.get", async (exchange) => {
      const generation = exchange.query.get("generation") ?? undefined;
      const address = { ...addressOf(exchange), generation };
      const { record, content } = await objects.open(address, conditionsOf(exchange));
      return contentAnswer(exchange.req, record, content, toXmlEtag(record));
    }),
    putObject: route("PUT", "storage.objects.insert", async (exchange) => {
      if (exchange.req.headers["x-goog-copy-source"]) throw notServed("x-goog-copy-source");
      const target = {
        ...metadataOf(exchange),
        ...addressOf(exchange),
        conditions: conditionsOf(exchange),
        claims: claimsOf(exchange.req),
      };
      const record = await uploads.storeWhole(target, exchange.body);
      const { generation } = record;
      return {
        status: 200,
        headers: {
          etag: toXmlEtag(record),
          "x-goog-hash": toGoogHash(record),
          "x-goog-generation": generation,
        },
      };
    }),
    deleteObject: route("DELETE", "storage.objects.delete", async (exchange) => {
      const generation = exchange.query.get("generation") ?? undefined;
      await objects.delete({ ...addressOf(exchange), generation }, conditionsOf(exchange));
      return { status: 204 };
    }),
  };
}

/** The XML API's etag: the MD5 in hexadecimal; for what has none the JSON API's after a dash. */
function toXmlEtag({ md5Hash, generation, metageneration }: ObjectRecord): string {
  if (md5Hash === undefined) return `"-${toEtag(generation, metageneration)}"`;
  return `"${Buffer.from(md5Hash, "base64").toString("hex")}"`;
}

/** The XML method of `METHOD /BUCKET/OBJECT`, or undefined. An object name may hold plain slashes here. */
export function findXmlRoute(
  routes: XmlRoutes,
  method: string,
  url: URL,
): { route: Route; params: Record<string, string> } | undefined {
  const [, bucket, rest] = /^\/([^/]+)\/(.+)$/s.exec(url.pathname) ?? [];
  const object = rest === undefined ? undefined : decodeSegment(rest);
  if (bucket === undefined || object === undefined) return undefined;
  const { searchParams: query } = url;
  const other = OTHER_RESOURCES.find((name) => query.has(name));
  const has = (name: string): boolean => query.has(name);
  const byMethod: Record<string, Route | undefined> = {
    POST: has("uploads") ? routes.startUpload : has("uploadId") ? routes.completeUpload : undefined,
    PUT: has("uploadId") ? routes.uploadPart : routes.putObject,
    GET: has("uploadId") ? routes.listParts : routes.getObject,
    HEAD: routes.getObject,
    DELETE: has("uploadId") ? routes.abortUpload : routes.deleteObject,
  };
  const route = byMethod[method];
  if (route && other !== undefined)
    return { route: notServedHere(route, other), params: { bucket, object } };
  return route && { route, params: { bucket, object } };
}

function notServedHere(route: Route, resource: string): Route {
  return {
    ...route,
    run: async () => {
      throw notServed(`?${resource} of the XML API`);
    },
  };
}

/** A refusal as the XML API writes it. */
export function toXmlError(error: ApiError): Answer {
  if (error.httpStatus === 304) return { status: 304 };
  const text = `<Error>${element("Code", xmlCodeOf(error))}${element("Message", error.message)}</Error>`;
  return { ...xml(text), status: error.httpStatus };
}

function xmlCodeOf({ httpStatus, message }: ApiError): string {
  if (httpStatus === 404) {
    if (message.startsWith("Upload")) return "NoSuchUpload";
    return message.includes("bucket does not exist") ? "NoSuchBucket" : "NoSuchKey";
  }
  const codes: Record<number, string> = {
    400: "InvalidArgument",
    403: "AccessDenied",
    409: "Conflict",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    416: "InvalidRange",
    429: "SlowDown",
    501: "NotImplemented",
    503: "ServiceUnavailable",
  };
  return codes[httpStatus] ?? "InternalError";
}

function addressOf({ params }: Exchange): { bucket: string; name: string } {
  return { bucket: params.bucket ?? "", name: params.object ?? "" };
}

/** What the headers of an XML upload say of the object. */
function metadataOf({ req }: Exchange): ObjectMetadata {
  const metadata: Record<string, string> = {};
  for (const [header, value] of Object.entries(req.headers)) {
    const [, key] = /^x-goog-meta-(.+)$/.exec(header) ?? [];
    if (key !== undefined) metadata[key] = String(value);
  }
  const fields: Record<string, string> = {};
  const headers = [
    ["cache-control", "cacheControl"],
    ["content-disposition", "contentDisposition"],
    ["content-encoding", "contentEncoding"],
    ["content-language", "contentLanguage"],
    ["x-goog-custom-time", "customTime"],
    ["x-goog-storage-class", "storageClass"],
  ] as const;
  for (const [header, field] of headers) {
    const value = headerOf(req, header);
    if (value !== undefined) fields[field] = value;
  }
  const contentType = headerOf(req, "content-type");
  return { ...(contentType === undefined ? {} : { contentType }), metadata, fields };
}

/** The XML API states conditions in headers. */
function conditionsOf({ req }: Exchange): Preconditions {
  const query = new URLSearchParams();
  const generation = headerOf(req, "x-goog-if-generation-match");
  const metageneration = headerOf(req, "x-goog-if-metageneration-match");
  if (generation !== undefined) query.set("ifGenerationMatch", generation);
  if (metageneration !== undefined) query.set("ifMetagenerationMatch", metageneration);
  return parsePreconditions(query);
}

function parseParts(body: string): { partNumber: number; etag: string }[] {
  if (!/<CompleteMultipartUpload[\s>]/.test(body)) {
    throw invalid("The body is no <CompleteMultipartUpload> document.");
  }
  return [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = ""]) => ({
    partNumber: Number(/<PartNumber>\s*(\d+)\s*<\/PartNumber>/.exec(part)?.[1]),
    etag: unescapeXml(/<ETag>\s*(.*?)\s*<\/ETag>/s.exec(part)?.[1] ?? ""),
  }));
}

function xml(text: string, headers: Record<string, string> = {}): Answer {
  return {
    status: 200,
    headers: { ...XML, ...headers },
    text: `<?xml version="1.0" encoding="UTF-8"?>${text}`,
  };
}

function element(name: string, value: string): string {
  const escaped = value
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
  return `<${name}>${escaped}</${name}>`;
}

function unescapeXml(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&#34;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
