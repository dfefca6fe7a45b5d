import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { startTestEmulator } from "../support/emulator.ts";
import type { TestEmulator } from "../support/emulator.ts";
import { vertexClients } from "../support/vertex-clients.ts";
import type { VertexClients } from "../support/vertex-clients.ts";
import { rest, restOperation } from "../support/vertex-rest.ts";

const PARENT = "projects/local-project/locations/us-central1";
const INVALID_ARGUMENT = 3;

// Google's clients take seconds to load on a busy machine.
jest.setTimeout(60_000);

let emulator: TestEmulator;
let clients: VertexClients;

beforeAll(async () => {
  emulator = await startTestEmulator();
  clients = vertexClients(emulator.address.grpc);
});

afterAll(async () => {
  await clients.close();
  await emulator.stop();
});

async function createEndpoint(endpointId: string, more: { dedicated?: boolean } = {}) {
  const [operation] = await clients.endpoints.createEndpoint({
    parent: PARENT,
    endpointId,
    endpoint: {
      displayName: "an endpoint",
      labels: { team: "art" },
      dedicatedEndpointEnabled: more.dedicated === true,
    },
  });
  const [endpoint] = await operation.promise();
  return endpoint;
}

describe("CreateEndpoint", () => {
  it.each([{ id: "123456789" }, { id: "1234567890" }, { id: "a-letter-first" }])(
    'accepts the id "$id"',
    async ({ id }) => {
      const endpoint = await createEndpoint(id);

      expect(endpoint.name).toMatch(new RegExp(`/endpoints/${id}$`));
    },
  );

  it.each([{ id: "012" }, { id: "12345678901" }, { id: "1a" }, { id: "a-" }, { id: "Ab" }])(
    'refuses the id "$id" as INVALID_ARGUMENT',
    async ({ id }) => {
      await expect(createEndpoint(id)).rejects.toMatchObject({ code: INVALID_ARGUMENT });
    },
  );

  it("refuses an id that is taken as ALREADY_EXISTS", async () => {
    await createEndpoint("11");

    await expect(createEndpoint("11")).rejects.toMatchObject({ code: 6 });
  });

  it("gives a dedicated endpoint a name of its own, without a scheme", async () => {
    const endpoint = await createEndpoint("12", { dedicated: true });

    expect(endpoint.dedicatedEndpointDns).toMatch(
      /^12\.us-central1-[0-9]{12}\.prediction\.vertexai\.goog$/,
    );
  });
});

describe("UpdateEndpoint", () => {
  it.each([
    { spelling: "camelCase", mask: "displayName,labels" },
    { spelling: "snake_case", mask: "display_name,labels" },
  ])("takes a mask in $spelling", async ({ spelling, mask }) => {
    const id = `mask-${spelling.toLowerCase().replace("_", "-")}`;
    await createEndpoint(id);

    const { body } = await rest(
      emulator.address.rest,
      "PATCH",
      `/v1/${PARENT}/endpoints/${id}?updateMask=${mask}`,
      { displayName: "renamed", labels: { team: "other" }, description: "not in the mask" },
    );

    expect(body).toMatchObject({ displayName: "renamed", labels: { team: "other" } });
    expect(body["description"]).toBeUndefined();
  });

  it.each([
    { problem: "no mask", query: "" },
    { problem: "an immutable field", query: "?updateMask=network" },
  ])("refuses $problem", async ({ query }) => {
    await createEndpoint("refused-mask").catch(() => undefined);

    const { status, body } = await rest(
      emulator.address.rest,
      "PATCH",
      `/v1/${PARENT}/endpoints/refused-mask${query}`,
      { displayName: "x" },
    );

    expect([status, body.error?.status]).toEqual([400, "INVALID_ARGUMENT"]);
  });

  it("refuses a split over models that are not deployed", async () => {
    await createEndpoint("no-models");

    const update = clients.endpoints.updateEndpoint({
      endpoint: { name: `${PARENT}/endpoints/no-models`, trafficSplit: { "77": 100 } },
      updateMask: { paths: ["traffic_split"] },
    });

    await expect(update).rejects.toMatchObject({ code: INVALID_ARGUMENT });
  });
});

describe("UpdateEndpointLongRunning", () => {
  it("changes the inference timeout, and nothing else", async () => {
    await createEndpoint("20", { dedicated: true });
    const path = `/v1/${PARENT}/endpoints/20`;
    const { body: present } = await rest(emulator.address.rest, "GET", path);

    const ended = await restOperation(emulator.address.rest, "POST", `${path}:update`, {
      endpoint: { ...present, clientConnectionConfig: { inferenceTimeout: "900s" } },
    });

    expect(ended["response"]).toMatchObject({
      displayName: "an endpoint",
      labels: { team: "art" },
      clientConnectionConfig: { inferenceTimeout: "900s" },
    });
  });

  it("refuses a change of another field by name", async () => {
    await createEndpoint("21");
    const path = `/v1/${PARENT}/endpoints/21`;

    const { status, body } = await rest(emulator.address.rest, "POST", `${path}:update`, {
      endpoint: { displayName: "another" },
    });

    expect(status).toBe(400);
    expect(body.error?.message).toContain('"displayName"');
  });
});

describe("ListEndpoints", () => {
  const path = `/v1/projects/local-project/locations/europe-west4/endpoints`;

  /** Ids as listed. */
  async function listed(query: string): Promise<string[]> {
    const { body } = await rest(emulator.address.rest, "GET", `${path}?${query}`);
    const endpoints = (body["endpoints"] ?? []) as { name: string }[];
    return endpoints.map(({ name }) => name.replace(/^.*\//, ""));
  }

  beforeAll(async () => {
    const made = { a: ["same", "art"], b: ["other", "art"], c: ["same", "it"] };
    for (const [id, [displayName, team]] of Object.entries(made)) {
      await restOperation(emulator.address.rest, "POST", `${path}?endpointId=${id}`, {
        displayName,
        labels: { team },
      });
    }
  });

  it.each([
    ['filter=display_name="same"', ["a", "c"]],
    ['filter=displayName!="same"', ["b"]],
    ['filter=labels.team="art" AND display_name=other', ["b"]],
    ["filter=labels:team", ["a", "b", "c"]],
    ["filter=labels.owner:*", []],
    ["filter=endpoint=c", ["c"]],
    ["orderBy=display_name, create_time desc", ["b", "c", "a"]],
    ["orderBy=createTime", ["a", "b", "c"]],
  ])("answers %s", async (query, ids) => {
    expect(await listed(query)).toEqual(ids);
  });

  it.each(["filter=description=x", "filter=team", "orderBy=labels", "pageSize=-1", "pageToken=x"])(
    "refuses %s",
    async (query) => {
      const { status } = await rest(emulator.address.rest, "GET", `${path}?${query}`);

      expect(status).toBe(400);
    },
  );

  it("answers only the fields that the mask names", async () => {
    const query = "filter=endpoint=a&readMask=display_name";
    const { body } = await rest(emulator.address.rest, "GET", `${path}?${query}`);

    expect(body["endpoints"]).toEqual([{ displayName: "same" }]);
  });

  it("pages", async () => {
    const { body } = await rest(emulator.address.rest, "GET", `${path}?pageSize=2`);

    expect(await listed(`pageSize=2&pageToken=${String(body["nextPageToken"])}`)).toEqual(["c"]);
  });
});

describe("REST", () => {
  it("answers NOT_FOUND in Google's error body", async () => {
    const answer = await rest(emulator.address.rest, "GET", `/v1/${PARENT}/endpoints/404`);

    expect(answer).toEqual({
      status: 404,
      body: {
        error: {
          code: 404,
          status: "NOT_FOUND",
          message: expect.stringMatching(/endpoints\/404" does not exist/),
        },
      },
    });
  });

  it.each([
    { where: "in the body", query: "", body: { displayName: "x", machineTipe: "n1" } },
    { where: "in the query", query: "?endpointIdd=1", body: { displayName: "x" } },
  ])("refuses an unknown field $where", async ({ query, body }) => {
    const answer = await rest(
      emulator.address.rest,
      "POST",
      `/v1/${PARENT}/endpoints${query}`,
      body,
    );

    expect(answer.status).toBe(400);
    expect(answer.body.error?.message).toMatch(/^Invalid JSON payload received. Unknown name/);
  });

  it.each([{ version: "v1" }, { version: "v1beta1" }])(
    "names the types of an operation by $version, and answers a poll of Google's Python SDK",
    async ({ version }) => {
      const path = `/${version}/${PARENT}/endpoints?endpointId=typed-${version}`;
      const started = await rest(emulator.address.rest, "POST", path, { displayName: "x" });

      const { body } = await rest(emulator.address.rest, "GET", `/ui/${started.body.name}`);

      const prefix = `type.googleapis.com/google.cloud.aiplatform.${version}`;
      expect(body).toMatchObject({
        done: true,
        metadata: { "@type": `${prefix}.CreateEndpointOperationMetadata` },
        response: { "@type": `${prefix}.Endpoint`, displayName: "x" },
      });
    },
  );

  it("answers UNIMPLEMENTED with the method's name for what it lacks", async () => {
    const { status, body } = await rest(emulator.address.rest, "GET", `/v1/${PARENT}/indexes`);

    expect([status, body.error?.status]).toEqual([501, "UNIMPLEMENTED"]);
    expect(body.error?.message).toContain("IndexService.ListIndexes");
  });

  it("lists the operations of an endpoint, and lists none once they are deleted", async () => {
    const base = emulator.address.rest;
    const ended = await restOperation(base, "POST", `/v1/${PARENT}/endpoints?endpointId=ops`, {
      displayName: "x",
    });
    const path = `/v1/${PARENT}/endpoints/ops/operations`;

    const before = await rest(base, "GET", path);
    await rest(base, "DELETE", `/v1/${ended.name}`);
    const after = await rest(base, "GET", path);

    expect(before.body["operations"]).toMatchObject([{ name: ended.name, done: true }]);
    expect(after.body).toEqual({});
  });
});

describe("DeleteEndpoint", () => {
  it("removes the endpoint and keeps its operation", async () => {
    const endpoint = await createEndpoint("deleted");

    const [operation] = await clients.endpoints.deleteEndpoint({ name: endpoint.name ?? "" });
    await operation.promise();

    const [listed] = await clients.endpoints.listEndpoints({ parent: PARENT });
    expect(listed.map((one) => one.name)).not.toContain(endpoint.name);
  });
});

describe("Predict", () => {
  it("refuses while no model takes traffic", async () => {
    await createEndpoint("empty");

    const { status, body } = await rest(
      emulator.address.rest,
      "POST",
      `/v1/${PARENT}/endpoints/empty:predict`,
      { instances: [{}] },
    );

    expect([status, body.error?.status]).toEqual([400, "FAILED_PRECONDITION"]);
  });

  it("refuses a dedicated endpoint on the shared host and names its own", async () => {
    const endpoint = await createEndpoint("13", { dedicated: true });

    const { body } = await rest(
      emulator.address.rest,
      "POST",
      `/v1/${PARENT}/endpoints/13:predict`,
      { instances: [{}] },
    );

    expect(body.error?.message).toContain(endpoint.dedicatedEndpointDns ?? "none");
  });

  it("refuses a request above a shared endpoint's 1.5 MB", async () => {
    await createEndpoint("large");

    const { body } = await rest(
      emulator.address.rest,
      "POST",
      `/v1/${PARENT}/endpoints/large:predict`,
      { instances: ["x".repeat(1_500_000)] },
    );

    expect(body.error?.message).toBe("Request payload size exceeds the limit: 1500000 bytes.");
  });
});
