import { hasUniformAccess } from "./bucket-fields.ts";
import type { Buckets } from "./buckets.ts";
import { invalid } from "./errors.ts";
import { type Answer, contentAnswer, type Exchange, readJson } from "./http.ts";
import type { JsonObject } from "./json.ts";
import { compileGlob } from "./match-glob.ts";
import type { ObjectRecord } from "./object-record.ts";
import type { ObjectAddress, Objects } from "./objects.ts";
import { parsePreconditions, parseReadConditions } from "./preconditions.ts";
import { readBoolean, readMaxResults, refuseSoftDeleted } from "./query.ts";
import { toObjectResource } from "./resources.ts";
import type { Route } from "./routes.ts";

const OBJECT = "/storage/v1/b/{bucket}/o/{object}";

/** The JSON API's object methods, uploads excepted. */
export function objectRoutes(buckets: Buckets, objects: Objects): Route[] {
  const toResource = (record: ObjectRecord, origin: string): JsonObject =>
    toObjectResource(record, buckets.get(record.bucket), origin);
  return [
    {
      method: "GET",
      path: "/storage/v1/b/{bucket}/o",
      name: "storage.objects.list",
      run: async (exchange) => listObjects(objects, exchange, toResource),
    },
    {
      method: "GET",
      path: OBJECT,
      name: "storage.objects.get",
      run: async (exchange) => {
        if (exchange.query.get("alt") === "media") return download(objects, exchange);
        const conditions = parseReadConditions(exchange.query, exchange.req.headers);
        const record = objects.get(addressOf(exchange), conditions);
        return { status: 200, json: toResource(record, exchange.origin) };
      },
    },
    {
      method: "GET",
      path: `/download${OBJECT}`,
      name: "storage.objects.get",
      run: (exchange) => download(objects, exchange),
    },
    {
      method: "PATCH",
      path: OBJECT,
      name: "storage.objects.patch",
      run: async (exchange) => {
        refuseAcl(buckets, exchange);
        const patch = await readJson(exchange.body);
        const conditions = parsePreconditions(exchange.query);
        const record = await objects.patch(addressOf(exchange), patch, conditions);
        return { status: 200, json: toResource(record, exchange.origin) };
      },
    },
    {
      method: "PUT",
      path: OBJECT,
      name: "storage.objects.update",
      run: async (exchange) => {
        refuseAcl(buckets, exchange);
        const body = await readJson(exchange.body);
        const conditions = parsePreconditions(exchange.query);
        const record = await objects.update(addressOf(exchange), body, conditions);
        return { status: 200, json: toResource(record, exchange.origin) };
      },
    },
    {
      method: "DELETE",
      path: OBJECT,
      name: "storage.objects.delete",
      run: async (exchange) => {
        await objects.delete(addressOf(exchange), parsePreconditions(exchange.query));
        return { status: 204 };
      },
    },
  ];
}

/** 400 for object access lists on a bucket with uniform access; elsewhere they are accepted and not kept. */
export function refuseAcl(buckets: Buckets, { params, query }: Exchange): void {
  if (query.has("predefinedAcl") && hasUniformAccess(buckets.get(params.bucket ?? "").settings)) {
    throw invalid(
      "Cannot insert legacy ACL for an object when uniform bucket-level access is enabled. Leave out predefinedAcl.",
    );
  }
}

function addressOf({ params, query }: Exchange): ObjectAddress {
  return {
    bucket: params.bucket ?? "",
    name: params.object ?? "",
    generation: query.get("generation") ?? undefined,
  };
}

function listObjects(
  objects: Objects,
  { params, query, origin }: Exchange,
  toResource: (record: ObjectRecord, origin: string) => JsonObject,
): Answer {
  const read = (name: string): string | undefined => query.get(name) || undefined;
  refuseSoftDeleted(query);
  const glob = read("matchGlob");
  const page = objects.list(params.bucket ?? "", {
    prefix: read("prefix"),
    delimiter: read("delimiter"),
    matches: glob === undefined ? undefined : compileGlob(glob),
    includeTrailingDelimiter: readBoolean(query, "includeTrailingDelimiter"),
    startOffset: read("startOffset"),
    endOffset: read("endOffset"),
    pageToken: read("pageToken"),
    maxResults: readMaxResults(query),
    versions: readBoolean(query, "versions"),
  });
  return {
    status: 200,
    json: {
      kind: "storage#objects",
      ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
      ...(page.prefixes.length === 0 ? {} : { prefixes: page.prefixes }),
      ...(page.items.length === 0
        ? {}
        : { items: page.items.map((record) => toResource(record, origin)) }),
    },
  };
}

async function download(objects: Objects, exchange: Exchange): Promise<Answer> {
  const conditions = parseReadConditions(exchange.query, exchange.req.headers);
  const { record, content } = await objects.open(addressOf(exchange), conditions);
  return contentAnswer(exchange.req, record, content);
}
