import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { listIndexFiles, packageIndex } from "../../../providers/package-index.ts";
import { ensureWheels } from "../../../providers/packages.ts";
import { sha256Of, startPackageIndex } from "../../support/package-index.ts";
import type { TestIndex, TestIndexOptions } from "../../support/package-index.ts";

const CONTENT = Buffer.from("what a wheel holds");
const WHEEL = { name: "one", wheel: "one-1.0-py3-none-any.whl", sha256: sha256Of(CONTENT) };
const INDEX_VARIABLES = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"] as const;

let cache: string;
let index: TestIndex;
let before: NodeJS.ProcessEnv;

beforeEach(() => {
  before = { ...process.env };
  cache = mkdtempSync(join(tmpdir(), "packages-"));
  process.env["XDG_CACHE_HOME"] = cache;
  process.env["VERTEX_DIFFUSION_PATIENCE_MS"] = "120";
  for (const name of INDEX_VARIABLES) delete process.env[name];
});

afterEach(async () => {
  process.env = before;
  await index?.stop();
  rmSync(cache, { recursive: true });
});

async function serve(options?: TestIndexOptions, content = CONTENT): Promise<void> {
  index = await startPackageIndex({ one: { [WHEEL.wheel]: content } }, options);
  process.env["UV_DEFAULT_INDEX"] = index.url;
}

function filesInCache(): string[] {
  return readdirSync(join(cache, "vertex-diffusion/wheels"));
}

describe("ensureWheels", () => {
  it.each([
    { format: "JSON", isPage: false },
    { format: "a web page", isPage: true },
  ])("fetches what the cache lacks from an index that answers $format", async ({ isPage }) => {
    await serve({ isPage });

    const [path = ""] = await ensureWheels([WHEEL]);

    expect(readFileSync(path)).toEqual(CONTENT);
    expect(filesInCache()).toEqual([WHEEL.sha256]);
  });

  it("asks no index for what the cache has", async () => {
    await serve();
    await ensureWheels([WHEEL]);
    index.requests.length = 0;

    await ensureWheels([WHEEL]);

    expect(index.requests).toEqual([]);
  });

  it("fetches again what was damaged in the cache", async () => {
    await serve();
    const [path = ""] = await ensureWheels([WHEEL]);
    writeFileSync(path, "half a wh");

    await ensureWheels([WHEEL]);

    expect(readFileSync(path)).toEqual(CONTENT);
  });

  it("goes on after an index that is confused for a moment", async () => {
    await serve({ failures: { status: 503, left: 2 } });

    const [path = ""] = await ensureWheels([WHEEL]);

    expect(readFileSync(path)).toEqual(CONTENT);
  });

  it("keeps nothing that is not what its hash says", async () => {
    await serve({}, Buffer.from("something else"));

    const fetched = ensureWheels([WHEEL]);

    await expect(fetched).rejects.toThrow(
      /^Could not fetch the Python package "one-1.0-py3-none-any.whl" from "http:\/\/127.0.0.1:\d+": the file there is not the one of packages.lock \(its SHA-256 is [0-9a-f]{64}\). /,
    );
    expect(filesInCache()).toEqual([]);
  });

  it("says which file an index lacks", async () => {
    await serve();

    const fetched = ensureWheels([{ ...WHEEL, wheel: "one-2.0-py3-none-any.whl" }]);

    await expect(fetched).rejects.toThrow(/it has no such file. Set UV_DEFAULT_INDEX/);
  });

  it("says what to do where no index can be reached, and shows no credentials", async () => {
    process.env["UV_DEFAULT_INDEX"] = "http://me:secret@127.0.0.1:9/simple";

    const fetched = ensureWheels([WHEEL]);

    await expect(fetched).rejects.toThrow(
      /^Could not fetch the Python package "one-1.0-py3-none-any.whl" from "http:\/\/127.0.0.1:9": .+\. Check the connection, or set UV_DEFAULT_INDEX to an index that can be reached; what was fetched is kept.$/,
    );
    await expect(fetched).rejects.not.toThrow(/secret/);
  });

  it("sends the credentials of the configured address to that host", async () => {
    await serve();
    process.env["UV_DEFAULT_INDEX"] = index.url.replace("http://", "http://me:s%40cret@");

    await ensureWheels([WHEEL]);

    const expected = `Basic ${Buffer.from("me:s@cret").toString("base64")}`;
    expect(index.authorizations).toEqual([expected, expected]);
  });
});

describe("packageIndex", () => {
  it.each([
    { from: "nothing", env: {}, url: "https://pypi.org/simple/" },
    {
      from: "pip's variable",
      env: { PIP_INDEX_URL: "https://pip.example/simple" },
      url: "https://pip.example/simple/",
    },
    {
      from: "uv's older variable before pip's",
      env: { UV_INDEX_URL: "https://uv.example/simple/", PIP_INDEX_URL: "https://pip.example/s" },
      url: "https://uv.example/simple/",
    },
    {
      from: "uv's variable, with a name",
      env: { UV_DEFAULT_INDEX: "ours=https://uv.example/s", UV_INDEX_URL: "https://old.example" },
      url: "https://uv.example/s/",
    },
  ])("takes its address from $from", ({ env, url }) => {
    expect(packageIndex(env).url).toBe(url);
  });
});

describe("listIndexFiles", () => {
  it("says what an index answers for a project that it does not have", async () => {
    await serve();

    await expect(listIndexFiles(packageIndex(), "two")).rejects.toThrow("it answered 404");
  });
});
