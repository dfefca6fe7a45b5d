import { projectNumberOf } from "../projects.ts";
import type { Buckets } from "./buckets.ts";
import { notServed, required } from "./errors.ts";
import { type Answer, type Exchange, readJson } from "./http.ts";
import type { ManagedBuckets } from "./managed-buckets.ts";
import type { Objects } from "./objects.ts";
import { parsePreconditions, parseReadConditions } from "./preconditions.ts";
import { readBoolean, readMaxResults, refuseSoftDeleted } from "./query.ts";
import { toBucketResource, toPolicyResource } from "./resources.ts";
import type { Route } from "./routes.ts";

const MAX_RESULTS = 1000;

/** The JSON API's bucket methods. */
export function bucketRoutes(buckets: Buckets, objects: Objects, managed: ManagedBuckets): Route[] {
  const nameOf = ({ params }: Exchange): string => params.bucket ?? "";
  return [
    {
      method: "GET",
      path: "/storage/v1/b",
      name: "storage.buckets.list",
      run: async (exchange) => listBuckets(buckets, exchange),
    },
    {
      method: "POST",
      path: "/storage/v1/b",
      name: "storage.buckets.insert",
      run: async ({ body, query, origin }) => {
        const project = query.get("project");
        if (!project) throw required("project");
        if (readBoolean(query, "enableObjectRetention")) throw notServed("enableObjectRetention");
        return {
          status: 200,
          json: toBucketResource(await buckets.insert(project, await readJson(body)), origin),
        };
      },
    },
    {
      method: "GET",
      path: "/storage/v1/b/{bucket}",
      name: "storage.buckets.get",
      run: async (exchange) => {
        const conditions = parseReadConditions(exchange.query, exchange.req.headers);
        const bucket = buckets.get(nameOf(exchange), conditions);
        return { status: 200, json: toBucketResource(bucket, exchange.origin) };
      },
    },
    {
      method: "PATCH",
      path: "/storage/v1/b/{bucket}",
      name: "storage.buckets.patch",
      run: async (exchange) => {
        const patch = await readJson(exchange.body);
        const bucket = await buckets.patch(
          nameOf(exchange),
          patch,
          parsePreconditions(exchange.query),
        );
        return { status: 200, json: toBucketResource(bucket, exchange.origin) };
      },
    },
    {
      method: "PUT",
      path: "/storage/v1/b/{bucket}",
      name: "storage.buckets.update",
      run: async (exchange) => {
        const body = await readJson(exchange.body);
        const bucket = await buckets.update(
          nameOf(exchange),
          body,
          parsePreconditions(exchange.query),
        );
        return { status: 200, json: toBucketResource(bucket, exchange.origin) };
      },
    },
    {
      method: "DELETE",
      path: "/storage/v1/b/{bucket}",
      name: "storage.buckets.delete",
      run: async (exchange) => {
        await buckets.delete(nameOf(exchange), parsePreconditions(exchange.query), objects);
        return { status: 204 };
      },
    },
    {
      method: "GET",
      path: "/storage/v1/b/{bucket}/iam",
      name: "storage.buckets.getIamPolicy",
      run: async (exchange) => ({
        status: 200,
        json: toPolicyResource(buckets.get(nameOf(exchange))),
      }),
    },
    {
      method: "PUT",
      path: "/storage/v1/b/{bucket}/iam",
      name: "storage.buckets.setIamPolicy",
      run: async (exchange) => {
        const policy = await readJson(exchange.body);
        return {
          status: 200,
          json: toPolicyResource(await buckets.setPolicy(nameOf(exchange), policy)),
        };
      },
    },
    {
      method: "GET",
      path: "/storage/v1/b/{bucket}/iam/testPermissions",
      name: "storage.buckets.testIamPermissions",
      run: async (exchange) => {
        const asked = exchange.query.getAll("permissions");
        if (asked.length === 0) throw required("permissions");
        const permissions = managed.heldPermissions(nameOf(exchange), asked);
        return { status: 200, json: { kind: "storage#testIamPermissionsResponse", permissions } };
      },
    },
    {
      method: "GET",
      path: "/storage/v1/b/{bucket}/anywhereCaches",
      name: "storage.anywhereCaches.list",
      run: async (exchange) => {
        buckets.get(nameOf(exchange));
        return { status: 200, json: { kind: "storage#anywhereCaches" } };
      },
    },
    {
      method: "GET",
      path: "/storage/v1/projects/{project}/serviceAccount",
      name: "storage.projects.serviceAccount.get",
      run: async ({ params }) => {
        const number = projectNumberOf(params.project ?? "");
        const email = `service-${number}@gs-project-accounts.iam.gserviceaccount.com`;
        return { status: 200, json: { kind: "storage#serviceAccount", email_address: email } };
      },
    },
  ];
}

function listBuckets(buckets: Buckets, { query, origin }: Exchange): Answer {
  const project = query.get("project");
  if (!project) throw required("project");
  refuseSoftDeleted(query);
  const limit = readMaxResults(query) ?? MAX_RESULTS;
  const after = query.get("pageToken") ?? "";
  const prefix = query.get("prefix") ?? "";
  const matching = buckets
    .list(project)
    .filter(({ name }) => name.startsWith(prefix) && name > after);
  const page = matching.slice(0, limit);
  return {
    status: 200,
    json: {
      kind: "storage#buckets",
      ...(page.length === 0
        ? {}
        : { items: page.map((bucket) => toBucketResource(bucket, origin)) }),
      ...(matching.length > page.length ? { nextPageToken: page.at(-1)?.name ?? "" } : {}),
    },
  };
}
