import { mkdir, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { makeBucket, putObject } from "../support/bucket.ts";
import { control, startTestEmulator } from "../support/emulator.ts";
import type { TestEmulator } from "../support/emulator.ts";
import { LIGHT_PYTHON, lightServer } from "../support/light-server.ts";
import { rest, restOperation, waitForOperation } from "../support/vertex-rest.ts";

const PARENT = "projects/local-project/locations/us-central1";
const IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";
const HOSTILE = `<script>alert("1")</script>'&`;
const ESCAPED = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;";

let emulator: TestEmulator;
let base: string;

beforeEach(async () => {
  emulator = await startTestEmulator({ runtime: lightServer, python: LIGHT_PYTHON });
  base = emulator.address.rest;
});

afterEach(async () => {
  await emulator.stop();
});

/** The page's markup with runs of white space as one blank: how it reads, not how it is laid out. */
async function read(path: string): Promise<string> {
  return (await (await fetch(base + path)).text()).replace(/\s+/g, " ");
}

/** The text of one section, without markup. */
async function readSection(id: string, path = "/"): Promise<string> {
  const [, content = ""] =
    new RegExp(`<section id="${id}"(.*?)</section>`).exec(await read(path)) ?? [];
  return content.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}

async function uploadModel(displayName = "Stable Diffusion") {
  await makeBucket(base, "page-bucket");
  await putObject(base, "page-bucket", "m/model.mar", "not an archive");
  return restOperation(base, "POST", `/v1/${PARENT}/models:upload`, {
    modelId: "sd",
    model: {
      displayName,
      versionAliases: ["live"],
      artifactUri: "gs://page-bucket/m",
      containerSpec: { imageUri: IMAGE },
    },
  });
}

async function createEndpoint(displayName: string, more: Record<string, unknown> = {}) {
  const path = `/v1/${PARENT}/endpoints?endpointId=4711`;
  return restOperation(base, "POST", path, { displayName, ...more });
}

function deploy(trafficSplit: Record<string, number> = { "0": 100 }) {
  return rest(base, "POST", `/v1/${PARENT}/endpoints/4711:deployModel`, {
    deployedModel: {
      id: "7",
      displayName: "first rollout",
      model: `${PARENT}/models/sd`,
      dedicatedResources: {
        machineSpec: {
          machineType: "n1-standard-8",
          acceleratorType: "NVIDIA_TESLA_T4",
          acceleratorCount: 1,
        },
        minReplicaCount: 1,
        maxReplicaCount: 3,
      },
    },
    trafficSplit,
  });
}

describe("the page of an empty emulator", () => {
  it.each([
    { id: "endpoints", next: /No endpoint yet\. npm run local brings the whole stack up/ },
    {
      id: "models",
      next: /No model yet\. npm run local makes one, or call ModelService\.UploadModel/,
    },
    { id: "buckets", next: /No bucket yet\. npm run local makes one/ },
    { id: "operations", next: /No operation yet\./ },
    { id: "requests", next: /No Google API call yet\. Point a client at http:/ },
  ])("says under $id what to do next", async ({ id, next }) => {
    expect(await readSection(id)).toMatch(next);
  });

  it("names both addresses, the clock and the data folder, and no faults or quotas", async () => {
    const page = await read("/");

    for (const fact of [base, emulator.address.grpc, "fast:", emulator.address.data]) {
      expect(page).toContain(fact);
    }
    expect(page).not.toMatch(/<section id="(faults|quotas)"/);
  });
});

describe("the page after calls", () => {
  it("shows a bucket with its objects and bytes", async () => {
    await makeBucket(base, "page-bucket");
    await putObject(base, "page-bucket", "a", "x".repeat(1500));
    await putObject(base, "page-bucket", "b", "x".repeat(36));

    expect(await readSection("buckets")).toMatch(/page-bucket 2 1\.5 KiB/);
  });

  it("shows a model's version with its aliases, artifacts and image", async () => {
    await uploadModel();

    const models = await readSection("models");

    expect(models).toMatch(/Stable Diffusion projects\/[0-9]+\/locations\/us-central1\/models\/sd/);
    expect(models).toMatch(
      /1 default live gs:\/\/page-bucket\/m us-docker\.pkg\.dev\S+ [0-9:]{8} nowhere/,
    );
  });

  it("shows an endpoint's kind, and what it needs first", async () => {
    await createEndpoint("the endpoint", { dedicatedEndpointEnabled: true });

    expect(await readSection("endpoints")).toMatch(
      /the endpoint dedicated projects\/\S+\/endpoints\/4711 Nothing is deployed here\. Next: EndpointService\.DeployModel/,
    );
  });

  it("shows a deploy under way with its stage, machine and replicas", async () => {
    await uploadModel();
    await createEndpoint("the endpoint");
    await control(emulator.address, "POST", "faults", { method: "DeployModel", hold: true });
    await deploy();

    expect(await readSection("endpoints")).toMatch(
      /deploying first rollout 7 sd@1 n1-standard-8 NVIDIA_TESLA_T4 × 1 1–3 STARTING_DEPLOYMENT for [0-9.]+ m?s none yet/,
    );
    expect(await readSection("models")).toMatch(/ the endpoint $/);
    expect(await readSection("operations")).toMatch(/DeployModel us-central1\/endpoints\/4711/);
    expect(await readSection("faults")).toContain("its operation runs until this fault is deleted");
  });

  it("shows a deployed model with its share of the traffic, its server and a way to its log", async () => {
    await uploadModel();
    await createEndpoint("the endpoint");
    await waitForOperation(base, (await deploy()).body.name);

    const endpoints = await readSection("endpoints");
    const log = await read("/_emulator/page/logs/4711-7");

    expect(endpoints).toMatch(
      /100 % first rollout 7 sd@1 n1-standard-8 NVIDIA_TESLA_T4 × 1 1–3 READY pid [0-9]+ Log/,
    );
    expect(await read("/")).toContain('href="/_emulator/page/logs/4711-7"');
    expect(log).toMatch(/<h1>Log of first rollout \(7 on 4711\)<\/h1>.*>READY</);
  });

  it("says when no deployed model takes traffic", async () => {
    await uploadModel();
    await createEndpoint("the endpoint");
    await waitForOperation(base, (await deploy({})).body.name);

    expect(await readSection("endpoints")).toMatch(
      /0 % first rollout .* No deployed model takes traffic, so predictions are refused\. Next: EndpointService\.UpdateEndpoint/,
    );
  });

  it("shows how an operation failed", async () => {
    await uploadModel();
    await createEndpoint("the endpoint");
    await control(emulator.address, "POST", "faults", {
      method: "DeployModel",
      stage: "ADDING_NODES_TO_CLUSTER",
      status: "RESOURCE_EXHAUSTED",
      message: "no capacity",
    });
    await waitForOperation(base, (await deploy()).body.name);

    expect(await readSection("operations")).toMatch(
      /FAILED_TO_DEPLOY [0-9.]+ m?s RESOURCE_EXHAUSTED no capacity/,
    );
  });

  it("shows the newest 50 requests, newest first, and none for itself", async () => {
    for (let id = 1; id <= 51; id += 1) await rest(base, "GET", `/v1/${PARENT}/endpoints/${id}`);

    const requests = await readSection("requests");

    expect(requests).toContain("Last requests newest 50 of 51");
    expect(requests).toMatch(
      /Client [0-9:]{8} EndpointService\.GetEndpoint us-central1\/endpoints\/51 NOT_FOUND/,
    );
    expect(requests).not.toMatch(/endpoints\/1 /);
  });

  it("shows quotas that were set", async () => {
    await control(emulator.address, "PUT", "quotas", { "us-east1": { NVIDIA_L4: 3 } });

    expect(await readSection("quotas")).toMatch(/us-east1 NVIDIA_L4 3 /);
  });

  it("names projects as the requests did", async () => {
    await createEndpoint("the endpoint");

    expect(await read("/")).toMatch(/local-project \([0-9]+\), us-central1/);
  });
});

describe("a bucket's page", () => {
  it("lists a hundred objects at a time", async () => {
    await makeBucket(base, "page-bucket");
    for (let at = 0; at < 101; at += 1) await putObject(base, "page-bucket", `o${100 + at}`, "x");

    const first = await read("/_emulator/page/buckets/page-bucket");
    const second = await read("/_emulator/page/buckets/page-bucket?page=2");

    expect(first).toContain("101 objects, 101 B; page 1 of 2");
    expect([first.includes(">o199<"), first.includes(">o200<")]).toEqual([true, false]);
    expect([second.includes(">o199<"), second.includes(">o200<")]).toEqual([false, true]);
  });

  it("lists only names that begin with the prefix, and says so when there are none", async () => {
    await makeBucket(base, "page-bucket");
    await putObject(base, "page-bucket", "models/a", "x");
    await putObject(base, "page-bucket", "pictures/b", "x");

    const some = await read("/_emulator/page/buckets/page-bucket?prefix=models%2F");
    const none = await read("/_emulator/page/buckets/page-bucket?prefix=no");

    expect([some.includes(">models/a<"), some.includes("pictures/b")]).toEqual([true, false]);
    expect(none).toContain("No object's name begins with <code>no</code>");
  });
});

describe("a log's page", () => {
  async function writeLog(text: string): Promise<void> {
    const folder = join(emulator.address.data, "containers", "4711-7");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "server.log"), text);
  }

  it("shows a short log whole, without colours, and the main page leads to it", async () => {
    await writeLog("\u001b[32mfirst\u001b[0m\nlast\n");

    expect(await (await fetch(`${base}/_emulator/page/logs/4711-7`)).text()).toContain(
      "first\nlast\n</pre>",
    );
    expect(await read("/")).toContain('href="/_emulator/page/logs/4711-7"');
  });

  it("shows the last 64 KiB of a long one, from the begin of a line", async () => {
    const lines = Array.from({ length: 10_000 }, (_, at) => `line ${at}`);
    await writeLog(`${lines.join("\n")}\n`);

    const page = await (await fetch(`${base}/_emulator/page/logs/4711-7`)).text();
    const [, log = ""] = /<pre[^>]*>\n(.*)<\/pre>/s.exec(page) ?? [];

    expect(log.endsWith("line 9999\n")).toBe(true);
    expect(log.length).toBeGreaterThan(64 * 1024 - 20);
    expect(log.length).toBeLessThanOrEqual(64 * 1024);
    expect(log).toMatch(/^line [0-9]{4}\n/);
  });

  it.each(["nobody", "..", "..%2F..%2Fquotas.json", "%00", "%E0%A4%A"])(
    "is not found for %s",
    async (id) => {
      const response = await fetch(`${base}/_emulator/page/logs/${id}`);

      expect(response.status).toBe(404);
    },
  );
});

describe("what comes from outside", () => {
  it("is escaped wherever it is shown", async () => {
    await uploadModel(HOSTILE);
    await putObject(base, "page-bucket", HOSTILE, "x");
    await createEndpoint(HOSTILE);
    await control(emulator.address, "POST", "faults", {
      method: "DeployModel",
      stage: "ADDING_NODES_TO_CLUSTER",
      message: HOSTILE,
    });
    await waitForOperation(base, (await deploy()).body.name);
    await control(emulator.address, "POST", "faults", { method: HOSTILE, status: "ABORTED" });
    await fetch(`${base}/v1/${PARENT}/endpoints/9`, { headers: { "x-goog-api-client": HOSTILE } });

    const query = encodeURIComponent(HOSTILE);
    const texts = [
      await readSectionMarkup("endpoints"),
      await readSectionMarkup("models"),
      await readSectionMarkup("operations"),
      await readSectionMarkup("requests"),
      await readSectionMarkup("faults"),
      await read("/_emulator/page/buckets/page-bucket"),
      await read(`/_emulator/page/buckets/page-bucket?prefix=${query}`),
      await read(`/_emulator/page/logs/${query}`),
    ];

    expect(texts.filter((text) => text.includes("<script>alert"))).toEqual([]);
    expect(texts.map((text) => text.includes(ESCAPED))).toEqual(texts.map(() => true));
  });

  async function readSectionMarkup(id: string): Promise<string> {
    return new RegExp(`<section id="${id}".*?</section>`).exec(await read("/"))?.[0] ?? "";
  }
});

describe("every page", () => {
  it.each(["/", "/_emulator/page/buckets/none", "/_emulator/page/"])(
    "%s is sent with a policy that lets only its own style and script through, and is never kept",
    async (path) => {
      const response = await fetch(base + path);
      const page = await response.text();

      const policy = response.headers.get("content-security-policy") ?? "";
      const [, style = ""] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
      const [, script = ""] = /<script type="module">(.*?)<\/script>/s.exec(page) ?? [];
      expect(policy).toMatch(/^default-src 'none'; /);
      expect(policy).toContain(`style-src 'sha256-${sha256(style)}'`);
      expect(policy).toContain(`script-src 'sha256-${sha256(script)}'`);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(page).not.toMatch(/ style="| on[a-z]+="|(src|href)="(https?:)?\/\//);
    },
  );

  it("refreshes itself with and without scripts, and does neither while paused", async () => {
    const [fresh, paused] = [await read("/"), await read("/?pause=1")];

    expect([fresh.includes("<script"), fresh.includes('http-equiv="refresh"')]).toEqual([
      true,
      true,
    ]);
    expect([paused.includes("<script"), paused.includes("http-equiv")]).toEqual([false, false]);
    expect(paused).toContain('<a href="/">Resume</a>');
  });

  it("keeps the rest of its address in the pause link", async () => {
    await makeBucket(base, "page-bucket");

    expect(await read("/_emulator/page/buckets/page-bucket?prefix=a%26b")).toContain(
      'href="/_emulator/page/buckets/page-bucket?prefix=a%26b&amp;pause=1">Pause',
    );
  });

  it.each([
    "/_emulator/page/",
    "/_emulator/page/nothing",
    "/_emulator/page/buckets/none",
    "/_emulator/page/buckets/a/b",
  ])("is a 404 at %s, with a way back", async (path) => {
    const response = await fetch(base + path);

    expect(response.status).toBe(404);
    expect(await response.text()).toContain('<a href="/">');
  });

  it("answers HEAD without a body and refuses all other methods", async () => {
    const head = await fetch(`${base}/`, { method: "HEAD" });
    const post = await fetch(`${base}/`, { method: "POST", body: "x" });

    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(Number(head.headers.get("content-length"))).toBeGreaterThan(1000);
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
