import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";

import { planArchive } from "../../components/archive-plan.ts";
import { ServerPool } from "../../emulator/runtime/server-pool.ts";
import { buildArchive } from "../../providers/archive.ts";
import { writeLock } from "../support/pipeline-folder.ts";
import { IMAGE } from "../support/light-cloud.ts";
import { jsonPayload } from "../support/runtime-scene.ts";
import { torchServePython } from "../support/torchserve-python.ts";

jest.setTimeout(240_000);

/** Says of each file that came with it: path, size and SHA-256. */
const HANDLER = `
import hashlib, pathlib

HERE = pathlib.Path(__file__).parent
FILES = sorted(
    [str(path.relative_to(HERE)), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()]
    for path in HERE.rglob("*")
    if path.is_file() and path.suffix in (".py", ".json", ".safetensors") and "MAR-INF" not in path.parts
)

def handle(data, context):
    return None if data is None else [FILES for _ in data]
`;
/** One that is deflated, one that is stored as weights, one stored for its length. */
const FILES: Readonly<Record<string, Buffer>> = {
  "handler/handler.py": Buffer.from(HANDLER),
  "handler/rules.py": Buffer.from("LIMIT = 4\n".repeat(50)),
  "weights/model_index.json": Buffer.from("{}"),
  "weights/tokenizer/vocab.json": Buffer.alloc(17 * 1024 * 1024, '{"a": 1} '),
  "weights/unet/model.safetensors": tensorFile(200_000),
};

const project = process.cwd();
let root: string;
let pool: ServerPool;

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "archive-torchserve-")));
  process.chdir(root);
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  writeLock(root, "weights");
  const python = torchServePython();
  pool = new ServerPool({ dataDir: join(root, "data"), python, startupTimeoutMs: 120_000 });
});

afterAll(async () => {
  await pool.stopAll();
  process.chdir(project);
  rmSync(root, { recursive: true });
});

function tensorFile(bytes: number): Buffer {
  const header = JSON.stringify({ a: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(bytes, 7)]);
}

/** What the handler in an archive finds beside it, once a real TorchServe has loaded it. */
async function loadedBy(id: string, archive: string): Promise<unknown> {
  const routes = { healthRoute: "/ping", predictRoute: "/predictions/model" };
  await pool.start({ id, imageUri: IMAGE, archive, env: {}, ...routes });
  const answer = await pool.predict(id, jsonPayload({ instances: [{}] }), 60_000);
  await pool.stop(id);
  const { predictions } = JSON.parse(String(answer.body)) as { predictions: unknown[] };
  return predictions[0];
}

describe("our archive and torch-model-archiver's of the same folders", () => {
  it("are the same to a real TorchServe, and to the handler in them", async () => {
    const sources = { handler: "handler", weights: "weights", weightsIn: "archive" } as const;
    const ours = join(root, await buildArchive(planArchive(root, sources), ""));
    execFileSync(join(dirname(torchServePython()), "torch-model-archiver"), [
      ...["--model-name", "model", "--version", "1.0", "--export-path", "."],
      ...["--handler", "handler/handler.py", "--extra-files", "handler/rules.py,weights"],
    ]);

    const byOurs = await loadedBy("ours", ours);
    const byTheirs = await loadedBy("theirs", join(root, "model.mar"));

    const names = Object.keys(FILES).map((path) => path.replace(/^handler\//, ""));
    const contents = Object.values(FILES);
    expect(byOurs).toEqual(
      names
        .map((name, at) => [name, contents[at]?.length, sha256(contents[at])])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    );
    // torch-model-archiver puts a folder's content, not the folder, at the top.
    expect(withoutWeightsFolder(byTheirs)).toEqual(withoutWeightsFolder(byOurs));
  });
});

function sha256(content: Buffer | undefined): string {
  return createHash("sha256")
    .update(content ?? "")
    .digest("hex");
}

function withoutWeightsFolder(files: unknown): unknown[] {
  return (files as [string, number, string][])
    .map(([path, ...rest]) => [path.replace(/^weights\//, ""), ...rest])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}
