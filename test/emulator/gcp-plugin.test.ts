import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { GCP_PLUGIN, GcpPlugin } from "../support/gcp-plugin.ts";
import { waitFor } from "../support/wait-for.ts";

describe("gcp plugin without endpoints", () => {
  let plugin: GcpPlugin;
  beforeAll(async () => {
    plugin = await GcpPlugin.start({});
  });
  afterAll(() => plugin.stop());

  it("gives the version of @pulumi/gcp as its own", async () => {
    const text = readFileSync("node_modules/@pulumi/gcp/package.json", "utf8");

    expect(await plugin.version()).toBe((JSON.parse(text) as { version: string }).version);
  });

  it("refuses a configuration that names no local endpoint", async () => {
    const failures = await plugin.checkConfig({ project: "my-project" });

    expect(failures).toEqual({
      "": expect.stringMatching(/never talks to Google.*GOOGLE_STORAGE_CUSTOM_ENDPOINT/),
    });
    await expect(plugin.configure({ project: "my-project" })).rejects.toThrow(
      "Could not configure gcp",
    );
  });

  it.each([
    { endpoint: "https://storage.googleapis.com/storage/v1/", why: "not a loopback address" },
    { endpoint: "http://127.0.0.1.example.com:8085/storage/v1/", why: "not a loopback address" },
    { endpoint: "http://10.0.0.7:8085/storage/v1/", why: "not a loopback address" },
    { endpoint: "http://127.0.0.1:8085/storage/v1", why: 'has to end in "/VERSION/"' },
    { endpoint: "127.0.0.1:8085", why: "is not a URL" },
  ])("refuses $endpoint: $why", async ({ endpoint, why }) => {
    const failures = await plugin.checkConfig({ storageCustomEndpoint: endpoint });

    expect(failures).toEqual({ storageCustomEndpoint: expect.stringContaining(why) });
    await expect(plugin.configure({ storageCustomEndpoint: endpoint })).rejects.toThrow(why);
  });

  it("refuses one Google endpoint beside a local one", async () => {
    const failures = await plugin.checkConfig({
      storageCustomEndpoint: "http://localhost:8085/storage/v1/",
      vertexAiCustomEndpoint: "https://us-central1-aiplatform.googleapis.com/v1/",
    });

    expect(Object.keys(failures)).toEqual(["vertexAiCustomEndpoint"]);
  });

  it("names the missing endpoint when a resource needs it", async () => {
    await plugin.configure({ project: "p", storageCustomEndpoint: "http://[::1]:1/storage/v1/" });
    const endpoint = { name: "1", location: "us-central1", displayName: "e" };

    await expect(
      plugin.resource("gcp:vertex/aiEndpoint:AiEndpoint").create(endpoint),
    ).rejects.toThrow('Set "gcp:vertexAiCustomEndpoint".');
  });
});

describe("gcp plugin with loopback endpoints", () => {
  let plugin: GcpPlugin;
  let origin: string;
  beforeAll(async () => {
    origin = `http://127.0.0.1:${await unusedPort()}`;
    plugin = await GcpPlugin.start({
      GOOGLE_STORAGE_CUSTOM_ENDPOINT: `${origin}/storage/v1/`,
      GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT: `${origin}/v1/`,
      GOOGLE_PROJECT: "local-project",
    });
    await plugin.configure();
  });
  afterAll(() => plugin.stop());

  it("refuses a type that it does not serve, by name", async () => {
    await expect(plugin.resource("gcp:compute/instance:Instance").check({})).rejects.toThrow(
      /so not "gcp:compute\/instance:Instance". Install the official plugin/,
    );
  });

  it("refuses functions by name", async () => {
    await expect(plugin.invoke("gcp:storage/getBucket:getBucket")).rejects.toThrow(
      'so not "gcp:storage/getBucket:getBucket"',
    );
  });

  it("refuses an input that it does not serve", async () => {
    const bucket = plugin.resource("gcp:storage/bucket:Bucket");

    const { failures } = await bucket.check({ name: "b", location: "EU", rpo: "ASYNC_TURBO" });

    expect(failures).toEqual({ rpo: expect.stringContaining("Install the official plugin") });
  });

  it("says that the emulator is to be started when nothing listens", async () => {
    const bucket = plugin.resource("gcp:storage/bucket:Bucket");

    await expect(bucket.create({ name: "b", location: "EU" })).rejects.toThrow(
      `Could not create bucket "b": ${origin} does not answer (ECONNREFUSED). Start the emulator with "npm run emulator".`,
    );
  });
});

describe("gcp plugin whose engine is killed", () => {
  it("ends when it is serving", async () => {
    const { engine, plugin } = await startedByAnEngine();
    const connection = connect(await plugin.port, "127.0.0.1");
    await once(connection, "connect");

    engine.kill("SIGKILL");

    // The end of the plugin closes its side of the connection.
    connection.resume();
    await once(connection, "close");
    expect(connection.destroyed).toBe(true);
  }, 60_000);

  it("ends when it had only begun to start", async () => {
    const { engine, plugin } = await startedByAnEngine();
    await waitFor("the plugin's start", () => commandLine(plugin.pid).includes("main.ts"), 30_000);

    engine.kill("SIGKILL");

    await waitFor("the plugin's end", () => commandLine(plugin.pid) === "", 30_000);
  }, 60_000);
});

/** An engine's stand-in that starts the plugin and says its process ID, and then hands on its port. */
async function startedByAnEngine() {
  const script = `
    const { spawn } = require("node:child_process");
    const plugin = spawn(${JSON.stringify(GCP_PLUGIN)}, [], { stdio: "inherit" });
    console.log(plugin.pid);`;
  const engine = spawn(process.execPath, ["-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
    // The plugin's script takes Node from PATH: the one that runs this test, whatever else is installed.
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
  });
  const lines = createInterface({ input: engine.stdout })[Symbol.asyncIterator]();
  const pid = Number((await lines.next()).value);
  const port = lines.next().then((line) => Number(line.value));
  return { engine, plugin: { pid, port } };
}

/** Empty when there is no such process. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

async function unusedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
