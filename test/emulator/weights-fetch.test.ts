import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { buildArchive } from "../../providers/archive.ts";
import type { ArchiveEntry } from "../../providers/archive-plan.ts";
import { fetchWeights } from "../../providers/weights-fetch.ts";
import { FIRST_COMMIT, REPOSITORY, pipelineRepository } from "../support/hub-repository.ts";
import { sha256Of, startHub } from "../support/hub-server.ts";
import type { HubOptions, TestHub } from "../support/hub-server.ts";
import { waitFor } from "../support/wait-for.ts";

const PROJECT = process.cwd();
const LARGE = "unet/diffusion_pytorch_model.fp16.safetensors";
const files = pipelineRepository();

let root: string;
let hub: TestHub;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "weights-fetch-"));
  process.chdir(root);
  process.env.XDG_CACHE_HOME = join(root, "cache");
  process.env.VERTEX_DIFFUSION_PATIENCE_MS = "6000";
});

afterEach(async () => {
  process.chdir(PROJECT);
  await hub.stop();
  rmSync(root, { recursive: true });
  for (const name of [
    "HF_ENDPOINT",
    "HF_TOKEN",
    "XDG_CACHE_HOME",
    "VERTEX_DIFFUSION_PATIENCE_MS",
  ]) {
    delete process.env[name];
  }
});

async function serve(options: Partial<HubOptions> = {}): Promise<void> {
  const commits = { [FIRST_COMMIT]: files };
  hub = await startHub({ repository: REPOSITORY, commits, branches: {}, ...options });
  process.env.HF_ENDPOINT = hub.endpoint;
}

function entry(path: string): ArchiveEntry {
  return {
    path: `weights/${path}`,
    source: `hf://${REPOSITORY}@${FIRST_COMMIT}/${path}`,
    origin: { kind: "hub", repository: REPOSITORY, revision: FIRST_COMMIT, path },
    size: Buffer.byteLength(files[path]!),
    sha256: sha256Of(files[path]!),
  };
}

const OPTIONS = { urn: "", buildFolder: ".", buildBytes: 0, freeBytes: async () => 1e12 };

const fetchOne = (path: string) => fetchWeights([entry(path)], OPTIONS);

const cached = () => readdirSync("cache/vertex-diffusion/weights");

/** What the host of large files was asked for, from which byte on. */
const ranges = () => hub.requests.filter(({ host }) => host === "cdn").map(({ range }) => range);

/** Another process that fetches the large file and has got so far. */
async function startOtherRun() {
  hub.faults.holdAfterBytes = 400_000;
  const module = JSON.stringify(join(PROJECT, "providers/weights-fetch.ts"));
  const code = `import { fetchWeights } from ${module};
    await fetchWeights(${JSON.stringify([entry(LARGE)])},
      { urn: "", buildFolder: ".", buildBytes: 0, freeBytes: async () => 1e12 });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: "ignore",
    env: { ...process.env, VERTEX_DIFFUSION_PATIENCE_MS: "60000" },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const part = `cache/vertex-diffusion/weights/${entry(LARGE).sha256}.${child.pid}.part`;
  const hasBegun = () => existsSync(part) && statSync(part).size === 400_000;
  await waitFor("the first part of the transfer", hasBegun, 30_000);
  return { kill: (signal: NodeJS.Signals) => child.kill(signal), ended };
}

/** How fetching fails: the message. */
async function refusal(fetched: Promise<unknown>): Promise<string> {
  return fetched.then(
    () => "nothing is wrong",
    (error: unknown) => (error as Error).message,
  );
}

describe("fetchWeights", () => {
  it("answers files in the cache with their checksums, and leaves files that lie here alone", async () => {
    await serve();
    const here = { path: "handler.py", source: "handler.py", size: 1, sha256: "x" };

    const entries = await fetchWeights([here, entry("unet/config.json"), entry(LARGE)], OPTIONS);

    expect(entries[0]).toBe(here);
    expect(entries.slice(1).map(({ source }) => readFileSync(source).length)).toEqual([
      2,
      Buffer.byteLength(files[LARGE]!),
    ]);
    expect(entries[2]).toMatchObject({ path: `weights/${LARGE}`, crc32: crc32(files[LARGE]!) });
    expect(cached().sort()).toEqual([sha256Of("{}"), sha256Of(files[LARGE]!)].sort());
  });

  it("asks for nothing that the cache has, and fetches anew what was damaged there", async () => {
    await serve();
    await fetchOne(LARGE);
    hub.requests.length = 0;

    await fetchOne(LARGE);
    const asked = hub.requests.length;
    writeFileSync(`cache/vertex-diffusion/weights/${sha256Of(files[LARGE]!)}`, "damaged");
    const [mended] = await fetchOne(LARGE);

    expect(asked).toBe(0);
    expect(sha256Of(readFileSync(mended!.source))).toBe(mended!.sha256);
  });

  it("goes on where a connection broke, time after time as long as more arrives", async () => {
    await serve();
    hub.faults.cut = { afterBytes: 100_000, times: 8 };

    const [fetched] = await fetchOne(LARGE);

    expect(sha256Of(readFileSync(fetched!.source))).toBe(fetched!.sha256);
    expect(ranges()).toHaveLength(9);
    expect(ranges()[0]).toBeUndefined();
    const starts = ranges()
      .slice(1)
      .map((range) => Number(/\d+/.exec(range!)?.[0]));
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(starts[0]).toBeGreaterThan(0);
  }, 60_000);

  it("asks again for the rest of a transfer in which nothing arrives any more", async () => {
    await serve();
    process.env.VERTEX_DIFFUSION_PATIENCE_MS = "1000";
    hub.faults.holdAfterBytes = 400_000;

    const [fetched] = await fetchOne(LARGE);

    expect(ranges()).toEqual([undefined, "bytes=400000-", "bytes=800000-"]);
    expect(sha256Of(readFileSync(fetched!.source))).toBe(fetched!.sha256);
  });

  it("begins anew where the server gives whole files only", async () => {
    await serve();
    hub.faults.cut = { afterBytes: 100_000, times: 1 };
    hub.faults.ignoresRanges = true;

    const [fetched] = await fetchOne(LARGE);

    expect(sha256Of(readFileSync(fetched!.source))).toBe(fetched!.sha256);
  });

  it("goes on from another process after kill -9", async () => {
    await serve();
    const other = await startOtherRun();
    other.kill("SIGKILL");
    await other.ended;
    delete hub.faults.holdAfterBytes;

    const [fetched] = await fetchOne(LARGE);

    expect(ranges()).toEqual([undefined, "bytes=400000-"]);
    expect(sha256Of(readFileSync(fetched!.source))).toBe(fetched!.sha256);
    expect(cached()).toEqual([fetched!.sha256]);
  }, 60_000);

  it("waits for another run that fetches the same file, and takes what that has made", async () => {
    await serve();
    const other = await startOtherRun();
    let hasBegun = false;
    const freeBytes = async () => {
      hasBegun = true;
      return 1e12;
    };

    const fetching = fetchWeights([entry(LARGE)], { ...OPTIONS, freeBytes });
    await waitFor("the begin of the second run", () => hasBegun, 30_000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    hub.release();
    await Promise.all([fetching, other.ended]);

    expect(ranges()).toEqual([undefined]);
    expect(cached()).toEqual([entry(LARGE).sha256]);
  }, 60_000);

  it("begins anew once where what was left is not the file's beginning", async () => {
    await serve();
    const { sha256 } = entry(LARGE);
    mkdirSync("cache/vertex-diffusion/weights", { recursive: true });
    writeFileSync(`cache/vertex-diffusion/weights/${sha256}.${process.pid}.part`, "torn");

    const [fetched] = await fetchOne(LARGE);

    expect(ranges()).toEqual(["bytes=4-", undefined]);
    expect(sha256Of(readFileSync(fetched!.source))).toBe(sha256);
  });

  it("sends the token to the hub and not to the host that it redirects to", async () => {
    await serve({ token: "hf_secret" });
    process.env.HF_TOKEN = "hf_secret";

    await fetchOne(LARGE);

    expect(hub.requests.map(({ host, authorization }) => [host, authorization])).toEqual([
      ["hub", "Bearer hf_secret"],
      ["cdn", undefined],
    ]);
  });

  it("refuses bytes that are not those of the lock, and keeps none of them", async () => {
    await serve();
    hub.faults.tampers = true;

    const words = await refusal(fetchOne(LARGE));

    expect(words).toContain(
      `Could not fetch the weights "hf://${REPOSITORY}@${FIRST_COMMIT}/${LARGE}": what arrived is not the file of weights.lock.json (its SHA-256 is `,
    );
    expect(cached()).toEqual([]);
  });

  it.each<{ what: string; hub?: Partial<HubOptions>; token?: string; path?: string; says: string }>(
    [
      {
        what: "a gated repository",
        hub: { token: "hf_secret", gated: true },
        says: `: it is gated, and HF_TOKEN is not set. Accept its licence at "`,
      },
      {
        what: "a token that is not taken",
        hub: { token: "hf_secret" },
        token: "hf_wrong",
        says: ": the hub does not take the token in HF_TOKEN. Set it to a valid one.",
      },
      {
        what: "a commit that is gone",
        hub: { commits: {} },
        says: `: it has no revision "${FIRST_COMMIT}".`,
      },
      {
        what: "a file that is gone",
        hub: { commits: { [FIRST_COMMIT]: {} } },
        says: `: it has no file "${LARGE}". Run "npm run lock -- --upgrade".`,
      },
    ],
  )("says of $what what to do next, without the token", async (row) => {
    await serve(row.hub);
    if (row.token !== undefined) process.env.HF_TOKEN = row.token;

    const words = await refusal(fetchOne(LARGE));

    expect(words).toContain(`Could not fetch the weights "hf://${REPOSITORY}@${FIRST_COMMIT}/`);
    expect(words).toContain(row.says);
    expect(words).not.toMatch(/hf_(secret|wrong)/);
  });

  it("gives up on a hub that can't be reached, and keeps what has arrived", async () => {
    await serve();
    process.env.VERTEX_DIFFUSION_PATIENCE_MS = "300";
    hub.faults.cut = { afterBytes: 0, times: 100 };

    const words = await refusal(fetchOne(LARGE));

    expect(words).toMatch(/Could not fetch the weights ".*": .+ What has arrived is kept\.$/);
    expect(words).not.toContain(hub.endpoint.replace("http://", "") + "/");
  });

  it("says before it fetches what the disk has no room for", async () => {
    await serve();
    const options = { ...OPTIONS, buildBytes: 500_000, freeBytes: async () => 1_200_000 };

    const words = await refusal(fetchWeights([entry(LARGE)], options));

    expect(words).toContain("Could not fetch the weights: 1.0 MB are missing in");
    expect(words).toContain(
      "takes 1.5 MB, with the archive that is built of it, and 1.2 MB are free",
    );
    expect(hub.requests).toEqual([]);
  });
});

describe("buildArchive", () => {
  it("packs files with an origin as it packs the same files that lie here", async () => {
    await serve();
    const { origin: _origin, ...local } = { ...entry(LARGE), source: "here.safetensors" };
    writeFileSync("here.safetensors", files[LARGE]!);
    const plan = { schema: 1, manifest: "{}\n" } as const;

    const fetched = await buildArchive({ ...plan, digest: "d1", entries: [entry(LARGE)] }, "");
    const packed = await buildArchive({ ...plan, digest: "d2", entries: [local] }, "");

    expect(sha256Of(readFileSync(fetched))).toBe(sha256Of(readFileSync(packed)));
  });
});
