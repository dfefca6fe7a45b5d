import type { ComposeSource, Copies } from "./copies.ts";
import { invalid } from "./errors.ts";
import { type Answer, type Exchange, readJson } from "./http.ts";
import { isJsonObject, type Json, type JsonObject, objectAt, stringAt } from "./json.ts";
import type { ObjectRecord } from "./object-record.ts";
import type { ObjectAddress, Objects } from "./objects.ts";
import { parsePreconditions, type Preconditions } from "./preconditions.ts";
import { toObjectResource } from "./resources.ts";
import { advanceRewrite, readMaxBytes } from "./rewrite.ts";
import type { Route } from "./routes.ts";

const OBJECT = "/storage/v1/b/{bucket}/o/{object}";

/** The JSON API's methods that make objects of objects. */
export function copyRoutes(objects: Objects, copies: Copies): Route[] {
  const show = (record: ObjectRecord, { origin }: Exchange): JsonObject =>
    toObjectResource(record, objects.bucket(record.bucket), origin);
  return [
    {
      method: "POST",
      path: `${OBJECT}/compose`,
      name: "storage.objects.compose",
      run: async (exchange) => {
        const json = show(await compose(copies, exchange), exchange);
        return { status: 200, json };
      },
    },
    {
      method: "POST",
      path: `${OBJECT}/copyTo/b/{targetBucket}/o/{targetObject}`,
      name: "storage.objects.copy",
      run: async (exchange) => {
        const { source, target, conditions } = endsOf(exchange);
        const record = await copies.copy(source, target, await readJson(exchange.body), conditions);
        return { status: 200, json: show(record, exchange) };
      },
    },
    {
      method: "POST",
      path: `${OBJECT}/moveTo/o/{targetObject}`,
      name: "storage.objects.move",
      run: async (exchange) => {
        const { source, target, conditions } = endsOf(exchange);
        const record = await objects.rename(source, target.name, conditions);
        return { status: 200, json: show(record, exchange) };
      },
    },
    {
      method: "POST",
      path: `${OBJECT}/rewriteTo/b/{targetBucket}/o/{targetObject}`,
      name: "storage.objects.rewrite",
      run: (exchange) => rewrite(objects, copies, exchange, show),
    },
  ];
}

interface Ends {
  readonly source: ObjectAddress;
  readonly target: ObjectAddress;
  readonly conditions: { readonly source: Preconditions; readonly target: Preconditions };
}

function endsOf({ params, query }: Exchange): Ends {
  const bucket = params.bucket ?? "";
  return {
    source: {
      bucket,
      name: params.object ?? "",
      generation: query.get("sourceGeneration") ?? undefined,
    },
    target: { bucket: params.targetBucket ?? bucket, name: params.targetObject ?? "" },
    conditions: { source: parsePreconditions(query, "Source"), target: parsePreconditions(query) },
  };
}

async function rewrite(
  objects: Objects,
  copies: Copies,
  exchange: Exchange,
  show: (record: ObjectRecord, exchange: Exchange) => JsonObject,
): Promise<Answer> {
  const { source, target, conditions } = endsOf(exchange);
  const body = await readJson(exchange.body);
  const { size, generation, fields } = objects.get(source);
  const settings = objects.bucket(source.bucket).settings;
  const targetSettings = objects.bucket(target.bucket).settings;
  const storageClass = body.storageClass ?? targetSettings.storageClass ?? "STANDARD";
  const isNear =
    settings.location === targetSettings.location && fields.storageClass === storageClass;
  const maxBytes = readMaxBytes(exchange.query);
  const { rewritten, token } = advanceRewrite({
    subject: [
      source.bucket,
      source.name,
      generation,
      target.bucket,
      target.name,
      String(maxBytes),
      JSON.stringify(body),
    ],
    size,
    // Within one location and class Google rewrites everything in one call, whatever is asked for.
    maxBytes: isNear ? undefined : maxBytes,
    token: exchange.query.get("rewriteToken") ?? undefined,
  });
  const progress = {
    kind: "storage#rewriteResponse",
    totalBytesRewritten: String(rewritten),
    objectSize: String(size),
  };
  if (token !== undefined) {
    return { status: 200, json: { ...progress, done: false, rewriteToken: token } };
  }
  const record = await copies.copy({ ...source, generation }, target, body, conditions);
  return { status: 200, json: { ...progress, done: true, resource: show(record, exchange) } };
}

async function compose(copies: Copies, exchange: Exchange): Promise<ObjectRecord> {
  const conditions = parsePreconditions(exchange.query);
  const body = await readJson(exchange.body);
  const listed = Array.isArray(body.sourceObjects) ? body.sourceObjects : [];
  return copies.compose(
    { bucket: exchange.params.bucket ?? "", name: exchange.params.object ?? "" },
    listed.map(toSource),
    {
      destination: objectAt(body, "destination"),
      conditions,
      deleteSources: body.deleteSourceObjects === true,
    },
  );
}

function toSource(source: Json): ComposeSource {
  const name = isJsonObject(source) ? stringAt(source, "name") : undefined;
  if (!isJsonObject(source) || name === undefined) {
    throw invalid("Each of sourceObjects must be an object with a name.");
  }
  const { ifGenerationMatch } = objectAt(source, "objectPreconditions");
  // Google's Python client writes null for what is not said.
  return {
    name,
    generation: toOptionalText(source.generation),
    conditions: { generationMatch: toOptionalText(ifGenerationMatch) },
  };
}

function toOptionalText(value: Json | undefined): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}
