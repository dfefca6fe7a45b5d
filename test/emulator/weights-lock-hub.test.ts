import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { planArchive } from "../../components/archive-plan.ts";
import type { WeightsLock } from "../../components/weights-lock.ts";
import { lockWeights } from "../../scripts/lock/weights.ts";
import { silentReport } from "../../scripts/toolchain/report.ts";
import {
  FIRST_COMMIT,
  REPOSITORY,
  SECOND_COMMIT,
  pipelineRepository,
} from "../support/hub-repository.ts";
import { sha256Of, startHub } from "../support/hub-server.ts";
import type { HubOptions, TestHub } from "../support/hub-server.ts";

const WEIGHTS = `hf://${REPOSITORY}`;
const NO_HUB = "http://127.0.0.1:9";

let root: string;
let hub: TestHub | undefined;
let branches: Record<string, string>;
const files = pipelineRepository();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hub-lock-"));
  branches = { main: FIRST_COMMIT, "v1/beta": SECOND_COMMIT };
  write("handler/handler.py", "def handle(data, context): ...\n");
  declare(WEIGHTS);
  process.env.VERTEX_DIFFUSION_PATIENCE_MS = "600";
});

afterEach(async () => {
  await hub?.stop();
  hub = undefined;
  rmSync(root, { recursive: true });
  for (const name of ["HF_ENDPOINT", "HF_TOKEN", "VERTEX_DIFFUSION_PATIENCE_MS"]) {
    delete process.env[name];
  }
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** The stack file's weights. */
function declare(weights: string): void {
  write("Pulumi.dev.yaml", `config:\n  vertex-diffusion:weights: ${weights}\n`);
}

async function serve(options: Partial<HubOptions> = {}): Promise<TestHub> {
  const commits = {
    [FIRST_COMMIT]: files,
    [SECOND_COMMIT]: { ...files, "tokenizer/merges.txt": "a b\na c\n" },
  };
  hub = await startHub({ repository: REPOSITORY, commits, branches, ...options });
  process.env.HF_ENDPOINT = hub.endpoint;
  return hub;
}

const lock = (upgrade = false) => lockWeights({ root, upgrade }, silentReport);

function readLock(): WeightsLock["weights"] {
  return (JSON.parse(readFileSync(join(root, "weights.lock.json"), "utf8")) as WeightsLock).weights;
}

describe("npm run lock of a repository on the hub", () => {
  it("pins the commit and lists what the handler loads, half precision under the plain name", async () => {
    await serve();

    const result = await lock();

    const locked = (path: string, from = path) => ({
      path,
      ...(from !== path && { from }),
      size: Buffer.byteLength(files[from]!),
      sha256: sha256Of(files[from]!),
    });
    expect(result).toMatchObject({ changed: true, problems: [] });
    expect(readLock()).toEqual({
      [WEIGHTS]: {
        revision: FIRST_COMMIT,
        files: [
          locked("model_index.json"),
          locked("scheduler/scheduler_config.json"),
          locked("tokenizer/merges.txt"),
          locked("tokenizer/vocab.json"),
          locked("unet/config.json"),
          locked(
            "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.fp16.safetensors",
          ),
        ],
      },
    });
  });

  it("asks for every page of the listing, and downloads no large file", async () => {
    const { requests } = await serve({ pageSize: 3 });

    await lock();

    const pages = requests.filter(({ path }) => path.includes("/tree/"));
    expect(pages.map(({ path }) => /cursor=\d+/.exec(path)?.[0])).toEqual([
      undefined,
      "cursor=3",
      "cursor=6",
      "cursor=9",
      "cursor=12",
      "cursor=15",
    ]);
    expect(requests.filter(({ host }) => host === "cdn")).toEqual([]);
  });

  it("is all that a preview needs: the plan is made without the hub", async () => {
    await serve();
    await lock();
    await hub?.stop();
    hub = undefined;
    process.env.HF_ENDPOINT = NO_HUB;

    const plan = planArchive(root, { handler: "handler", weights: WEIGHTS, weightsIn: "archive" });

    const from = "unet/diffusion_pytorch_model.fp16.safetensors";
    expect(plan.entries.at(-1)).toEqual({
      path: "weights/unet/diffusion_pytorch_model.safetensors",
      source: `${WEIGHTS}@${FIRST_COMMIT}/${from}`,
      origin: { kind: "hub", repository: REPOSITORY, revision: FIRST_COMMIT, path: from },
      size: Buffer.byteLength(files[from]!),
      sha256: sha256Of(files[from]!),
    });
  });

  it("keeps the commit until --upgrade, without asking the hub", async () => {
    const { requests } = await serve();
    await lock();
    branches["main"] = SECOND_COMMIT;
    requests.length = 0;

    const kept = await lock();
    const [keptLock, asked] = [readLock(), requests.length];
    const upgraded = await lock(true);

    expect(kept.changed).toBe(false);
    expect([keptLock[WEIGHTS]?.revision, asked]).toEqual([FIRST_COMMIT, 0]);
    expect(upgraded.changed).toBe(true);
    expect(readLock()[WEIGHTS]?.revision).toBe(SECOND_COMMIT);
  });

  it.each([
    { revision: "v1/beta", commit: SECOND_COMMIT },
    { revision: FIRST_COMMIT, commit: FIRST_COMMIT },
  ])("finds the commit of @$revision", async ({ revision, commit }) => {
    await serve();
    declare(`${WEIGHTS}@${revision}`);

    await lock();

    expect(readLock()[`${WEIGHTS}@${revision}`]?.revision).toBe(commit);
  });

  it("sends the token of HF_TOKEN to the hub, and writes it nowhere", async () => {
    const { requests } = await serve({ token: "hf_secret" });
    process.env.HF_TOKEN = "hf_secret";

    const result = await lock();

    expect(result.problems).toEqual([]);
    expect(new Set(requests.map(({ authorization }) => authorization))).toEqual(
      new Set(["Bearer hf_secret"]),
    );
    expect(readFileSync(join(root, "weights.lock.json"), "utf8")).not.toContain("secret");
  });

  it("asks again where the hub fails for a moment", async () => {
    const { faults } = await serve();
    faults.fail = { status: 503, times: 2 };

    expect((await lock()).problems).toEqual([]);
  });

  it.each<{
    what: string;
    weights?: string;
    hub?: Partial<HubOptions>;
    token?: string;
    endpoint?: string;
    says: string;
  }>([
    {
      what: "a repository that is not there",
      weights: "hf://some/other",
      says: `"hf://some/other" can't be locked: there is no such public repository. Correct its name, or set HF_TOKEN to a token that may read it.`,
    },
    {
      what: "a private repository without a token",
      hub: { token: "hf_secret" },
      says: `"${WEIGHTS}" can't be locked: there is no such public repository. Correct its name, or set HF_TOKEN`,
    },
    {
      what: "a gated repository without a token",
      hub: { token: "hf_secret", gated: true },
      says: `"${WEIGHTS}" can't be locked: it is gated, and HF_TOKEN is not set. Accept its licence at "HUB/${REPOSITORY}" and set HF_TOKEN to a token of that account.`,
    },
    {
      what: "a token that the hub does not take",
      hub: { token: "hf_secret" },
      token: "hf_wrong",
      says: `"${WEIGHTS}" can't be locked: the hub does not take the token in HF_TOKEN. Set it to a valid one.`,
    },
    {
      what: "a token that no header can carry",
      token: "hf_two\nlines",
      says: `"${WEIGHTS}" can't be locked: HF_TOKEN holds no token. Set it to one that begins with hf_.`,
    },
    {
      what: "a revision that is not there",
      weights: `${WEIGHTS}@v9`,
      says: `"${WEIGHTS}@v9" can't be locked: it has no revision "v9". Name a branch, a tag or a commit.`,
    },
    {
      what: "a repository that is no pipeline",
      hub: { commits: { [FIRST_COMMIT]: { "model.safetensors": "x" } } },
      says: `"${WEIGHTS}" can't be locked: "${WEIGHTS}" has no model_index.json, so it is no diffusers pipeline. Name a repository that has one.`,
    },
    {
      what: "a repository with pickles only",
      hub: {
        commits: {
          [FIRST_COMMIT]: {
            "model_index.json": `{"unet":["diffusers","UNet2DConditionModel"]}`,
            "unet/config.json": "{}",
            "unet/diffusion_pytorch_model.bin": "a pickle",
          },
        },
      },
      says: `can't be locked: "${WEIGHTS}" has "unet" as a pickle only ("unet/diffusion_pytorch_model.bin"), which can run code when it is loaded.`,
    },
    {
      what: "an address that is none",
      weights: "hf://diffusion",
      says: `"hf://diffusion" can't be locked: "hf://diffusion" is no address of weights. Name a folder or a .safetensors file beside Pulumi.yaml, "hf://OWNER/NAME@REVISION" or "gs://BUCKET/FOLDER".`,
    },
    {
      what: "a hub that can't be reached",
      endpoint: NO_HUB,
      says: `"${WEIGHTS}" can't be locked: the hub at "${NO_HUB}" can't be reached (`,
    },
    {
      what: "an endpoint with credentials in it",
      endpoint: "https://me:secret@hub.example",
      says: `"${WEIGHTS}" can't be locked: the address in HF_ENDPOINT is not valid.`,
    },
  ])("says what is wrong of $what in one line without secrets, and locks the rest", async (row) => {
    const { endpoint } = await serve(row.hub);
    process.env.HF_ENDPOINT = row.endpoint ?? endpoint;
    if (row.token !== undefined) process.env.HF_TOKEN = row.token;
    declare(row.weights ?? WEIGHTS);
    write("Pulumi.local.yaml", "config:\n  vertex-diffusion:weights: demo\n");
    write("demo/model_index.json", "{}");

    const { problems, changed } = await lock();

    expect(problems).toHaveLength(1);
    expect(problems?.[0]).toContain(row.says.replace("HUB/", `${endpoint}/`));
    expect(problems?.[0]).not.toMatch(/secret|hf_wrong|hf_two|\n/);
    expect(changed).toBe(true);
    expect(Object.keys(readLock())).toEqual(["demo"]);
  });
});
