import { readMaxResults } from "./bucket-routes.ts";
import { hasUniformAccess } from "./bucket-fields.ts";
import type { Buckets } from "./buckets.ts";
import { invalid } from "./errors.ts";
import { type Answer, contentAnswer, type Exchange, readJson } from "./http.ts";
import { isJsonObject, objectAt, stringAt } from "./json.ts";
import type { ObjectAddress, ComposeSource, Objects } from "./objects.ts";
import { parsePreconditions } from "./preconditions.ts";
import { toObjectResource } from "./resources.ts";
import type { Route } from "./routes.ts";

const OBJECT = "/storage/v1/b/{bucket}/o/{object}";

/** The JSON API's object methods, uploads excepted. */
export function objectRoutes(buckets: Buckets, objects: Objects): Route[] {
  return [
    {
      method: "GET",
      path: "/storage/v1/b/{bucket}/o",
      name: "storage.objects.list",
      run: async (exchange) => listObjects(objects, exchange),
    },
    {
      method: "GET",
      path: OBJECT,
      name: "storage.objects.get",
      run: async (exchange) => {
        if (exchange.query.get("alt") === "media") return download(objects, exchange);
        const record = objects.get(addressOf(exchange), parsePreconditions(exchange.query));
        return { status: 200, json: toObjectResource(record, exchange.origin) };
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
        return { status: 200, json: toObjectResource(record, exchange.origin) };
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
        return { status: 200, json: toObjectResource(record, exchange.origin) };
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
    {
      method: "POST",
      path: `${OBJECT}/compose`,
      name: "storage.objects.compose",
      run: (exchange) => compose(objects, exchange),
    },
    {
      method: "POST",
      path: `${OBJECT}/copyTo/b/{targetBucket}/o/{targetObject}`,
      name: "storage.objects.copy",
      run: async (exchange) => {
        const record = await copy(objects, exchange);
        return { status: 200, json: toObjectResource(record, exchange.origin) };
      },
    },
    {
      method: "POST",
      path: `${OBJECT}/rewriteTo/b/{targetBucket}/o/{targetObject}`,
      name: "storage.objects.rewrite",
      run: async (exchange) => {
        const record = await copy(objects, exchange);
        return {
          status: 200,
          json: {
            kind: "storage#rewriteResponse",
            totalBytesRewritten: String(record.size),
            objectSize: String(record.size),
            done: true,
            resource: toObjectResource(record, exchange.origin),
          },
        };
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

function listObjects(objects: Objects, { params, query, origin }: Exchange): Answer {
  const read = (name: string): string | undefined => query.get(name) || undefined;
  if (read("matchGlob"))
    throw invalid("matchGlob is not served by the local Cloud Storage. Use prefix.");
  const page = objects.list(params.bucket ?? "", {
    prefix: read("prefix"),
    delimiter: read("delimiter"),
    includeTrailingDelimiter: query.get("includeTrailingDelimiter") === "true",
    startOffset: read("startOffset"),
    endOffset: read("endOffset"),
    pageToken: read("pageToken"),
    maxResults: readMaxResults(query),
    versions: query.get("versions") === "true",
  });
  return {
    status: 200,
    json: {
      kind: "storage#objects",
      ...(page.nextPageToken === undefined ? {} : { nextPageToken: page.nextPageToken }),
      ...(page.prefixes.length === 0 ? {} : { prefixes: page.prefixes }),
      items: page.items.map((record) => toObjectResource(record, origin)),
    },
  };
}

async function download(objects: Objects, exchange: Exchange): Promise<Answer> {
  const conditions = parsePreconditions(exchange.query);
  const { record, content } = await objects.open(addressOf(exchange), conditions);
  return contentAnswer(exchange.req, record, content);
}

async function copy(objects: Objects, exchange: Exchange): ReturnType<Objects["copy"]> {
  const { params, query, body } = exchange;
  return objects.copy(
    {
      bucket: params.bucket ?? "",
      name: params.object ?? "",
      generation: query.get("sourceGeneration") ?? undefined,
    },
    { bucket: params.targetBucket ?? "", name: params.targetObject ?? "" },
    await readJson(body),
    { source: parsePreconditions(query, "Source"), target: parsePreconditions(query) },
  );
}

async function compose(objects: Objects, exchange: Exchange): Promise<Answer> {
  const conditions = parsePreconditions(exchange.query);
  const body = await readJson(exchange.body);
  const listed = Array.isArray(body.sourceObjects) ? body.sourceObjects : [];
  const sources = listed.map((source): ComposeSource => {
    const name = isJsonObject(source) ? stringAt(source, "name") : undefined;
    if (!isJsonObject(source) || name === undefined) {
      throw invalid("Each of sourceObjects must be an object with a name.");
    }
    const { ifGenerationMatch } = objectAt(source, "objectPreconditions");
    return {
      name,
      generation: source.generation === undefined ? undefined : String(source.generation),
      conditions:
        ifGenerationMatch === undefined ? {} : { generationMatch: String(ifGenerationMatch) },
    };
  });
  const record = await objects.compose(
    { bucket: exchange.params.bucket ?? "", name: exchange.params.object ?? "" },
    sources,
    objectAt(body, "destination"),
    conditions,
  );
  return { status: 200, json: toObjectResource(record, exchange.origin) };
}
