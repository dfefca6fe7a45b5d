import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { planArchive } from "../../../components/archive-plan.ts";
import type { ArchiveSources } from "../../../components/archive-plan.ts";
import { hashRequirements } from "../../../components/packages-lock.ts";
import { ArchiveSourceError } from "../../../components/source-folder.ts";
import { writeLock } from "../../support/pipeline-folder.ts";

const SOURCES: ArchiveSources = { handler: "handler", weights: "weights", weightsIn: "archive" };

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "archive-plan-"));
  write("handler/handler.py", "def handle(data, context): ...\n");
  write("handler/lib/rules.py", "LIMIT = 4\n");
  write("weights/model_index.json", "{}");
  write("weights/unet/model.safetensors", tensors(10));
  writeLock(root, "weights");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** A .safetensors file with one tensor of so many bytes. */
function tensors(bytes: number, fill = "0"): string {
  const header = JSON.stringify({ a: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return length.toString("latin1") + header + fill.repeat(bytes);
}

/** The plan after `npm run lock`. */
function planLocked(sources = SOURCES) {
  writeLock(root, sources.weights);
  return planArchive(root, sources);
}

function refusal(sources = SOURCES): ArchiveSourceError {
  try {
    planArchive(root, sources);
  } catch (error) {
    if (error instanceof ArchiveSourceError) return error;
    throw error;
  }
  throw new Error("the folders were taken");
}

describe("planArchive", () => {
  it("lists handler files at the top and weights below weights/, sorted, with size and SHA-256", () => {
    const plan = planArchive(root, SOURCES);

    expect(plan.entries).toEqual([
      {
        path: "handler.py",
        source: "handler/handler.py",
        crc32: expect.any(Number),
        size: 31,
        sha256: "dccfccad0351ec0d581cc0e7eb696b1ab80a57a126e80707032640aa91b2eecb",
      },
      {
        path: "lib/rules.py",
        source: "handler/lib/rules.py",
        crc32: expect.any(Number),
        size: 10,
        sha256: "24728f82663de2bf583080f02069f195ce4c8bf69930670fa9acacc314d205fd",
      },
      {
        path: "weights/model_index.json",
        source: "weights/model_index.json",
        crc32: expect.any(Number),
        size: 2,
        sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      },
      {
        path: "weights/unet/model.safetensors",
        source: "weights/unet/model.safetensors",
        crc32: expect.any(Number),
        size: 73,
        sha256: "afaa361d807e940d5b27256f0e841697c73fbdacefad75598d79ab2567f25e88",
      },
    ]);
  });

  it("names TorchServe's handler, model and version in the manifest, with a fixed date", () => {
    const { manifest } = planArchive(root, SOURCES);

    expect(JSON.parse(manifest)).toEqual({
      createdOn: "01/01/1980 00:00:00",
      runtime: "python",
      model: { modelName: "model", handler: "handler.py", modelVersion: "1.0" },
      archiverVersion: "0.12.0",
    });
  });

  it("names the handler's settings for TorchServe in the manifest, and counts that into the digest", () => {
    const before = planArchive(root, SOURCES);
    write("handler/model-config.yaml", "batchSize: 8\n");
    const after = planArchive(root, SOURCES);

    expect(JSON.parse(after.manifest)).toMatchObject({
      model: { handler: "handler.py", configFile: "model-config.yaml" },
    });
    expect(after.entries.map(({ path }) => path)).toContain("model-config.yaml");
    expect(after.digest).not.toBe(before.digest);
  });

  it("keeps the digest when only times and modes of the files change", () => {
    const before = planArchive(root, SOURCES).digest;

    utimesSync(join(root, "handler/handler.py"), new Date(0), new Date(0));
    chmodSync(join(root, "weights/model_index.json"), 0o600);

    expect(planArchive(root, SOURCES).digest).toBe(before);
  });

  it("keeps the digest when the same folders lie elsewhere under other names", () => {
    const before = planArchive(root, SOURCES).digest;

    cpSync(join(root, "handler"), join(root, "elsewhere/code"), { recursive: true });
    cpSync(join(root, "weights"), join(root, "elsewhere/sd-1.5"), { recursive: true });
    const moved = planLocked({
      ...SOURCES,
      handler: "elsewhere/code",
      weights: "elsewhere/sd-1.5",
    });

    expect(moved.digest).toBe(before);
  });

  it.each([
    { case: "a handler line", path: "handler/handler.py", content: "def handle(d, c): ...\n" },
    {
      case: "a weight of the same size",
      path: "weights/unet/model.safetensors",
      content: tensors(10, "1"),
    },
    { case: "an added module", path: "handler/lib/new.py", content: "" },
    { case: "an added weights file", path: "weights/vae/config.json", content: "{}" },
  ])("changes the digest with $case", ({ path, content }) => {
    const before = planArchive(root, SOURCES).digest;

    write(path, content);

    expect(planLocked().digest).not.toBe(before);
  });

  it("changes the digest when a file gets another path", () => {
    const before = planArchive(root, SOURCES).digest;

    rmSync(join(root, "handler/lib/rules.py"));
    write("handler/lib/limits.py", "LIMIT = 4\n");

    expect(planArchive(root, SOURCES).digest).not.toBe(before);
  });

  it.each([
    { path: "handler/tests/test_handler.py" },
    { path: "handler/lib/tests/test_rules.py" },
    { path: "handler/__pycache__/handler.cpython-311.pyc" },
    { path: "handler/demo-model/model_index.json" },
    { path: "handler/container/server.py" },
    { path: "handler/Dockerfile" },
    { path: "handler/pyproject.toml" },
    { path: "handler/README.md" },
    { path: "handler/lib/requirements.in" },
    { path: "handler/.venv/bin/python" },
    { path: "weights/.gitattributes" },
    { path: "weights/README.md" },
  ])("leaves out $path", ({ path }) => {
    const before = planArchive(root, SOURCES);

    write(path, "not for the container");

    expect(planArchive(root, SOURCES)).toEqual(before);
  });

  it("takes the wheels of a handler's packages.lock, and the lock for the handler's start", () => {
    const requirements = "pillow\n";
    const wheel = {
      ...{ name: "pillow", version: "1", wheel: "pillow-1-py3-none-any.whl" },
      ...{ size: 7, sha256: "a".repeat(64), pythons: ["3.9"] },
    };
    const lock = { schema: 1, requirements: hashRequirements(requirements), wheels: [wheel] };
    write("handler/requirements.in", requirements);
    write("handler/packages.lock", JSON.stringify(lock));

    const { digest, entries } = planArchive(root, SOURCES);

    expect(entries.map(({ path, source }) => [path, source]).slice(0, 4)).toEqual([
      ["handler.py", "handler/handler.py"],
      ["lib/rules.py", "handler/lib/rules.py"],
      ["packages.lock", "handler/packages.lock"],
      ["packages/pillow-1-py3-none-any.whl", "pillow-1-py3-none-any.whl"],
    ]);

    const rebuilt = { ...lock, wheels: [{ ...wheel, sha256: "b".repeat(64) }] };
    write("handler/packages.lock", JSON.stringify(rebuilt));

    expect(planArchive(root, SOURCES).digest).not.toBe(digest);
  });

  it("packs a weights folder named tests: only handlers have tests", () => {
    write("weights/tests/config.json", "{}");

    const paths = planLocked().entries.map((entry) => entry.path);

    expect(paths).toContain("weights/tests/config.json");
  });

  it("refuses a missing handler folder", () => {
    const error = refusal({ ...SOURCES, handler: "handlr" });

    expect(error.setting).toBe("handler");
    expect(error.message).toBe(
      `the folder "handlr" can't be read: it does not exist. Name a folder beside Pulumi.yaml.`,
    );
  });

  it("refuses a missing weights folder", () => {
    const error = refusal({ ...SOURCES, weights: "wieghts" });

    expect(error.setting).toBe("weights");
    expect(error.message).toBe(
      `the folder "wieghts" can't be read: it does not exist. Name a folder beside Pulumi.yaml.`,
    );
  });

  it("refuses a file where a folder is wanted", () => {
    const error = refusal({ ...SOURCES, handler: "handler/handler.py" });

    expect(error.setting).toBe("handler");
    expect(error.message).toBe(
      `the folder "handler/handler.py" can't be read: it is a file. Name a folder beside Pulumi.yaml.`,
    );
  });

  it("refuses a handler folder without handler.py", () => {
    rmSync(join(root, "handler/handler.py"));

    const error = refusal();

    expect(error.setting).toBe("handler");
    expect(error.message).toBe(
      `the folder "handler" has no handler.py. Name the folder that holds it.`,
    );
  });

  it.each([{ setting: "handler" }, { setting: "weights" }] as const)(
    "refuses an empty $setting folder",
    ({ setting }) => {
      mkdirSync(join(root, "empty/inside"), { recursive: true });

      const error = refusal({ ...SOURCES, [setting]: "empty" });

      expect(error.setting).toBe(setting);
      expect(error.message).toContain(`the folder "empty" is empty.`);
    },
  );

  it("refuses two paths that are one where case does not count", () => {
    write("handler/Lib/Rules.py", "LIMIT = 5\n");

    const error = refusal();

    expect(error.setting).toBe("handler");
    expect(error.message).toBe(
      `"handler/Lib/Rules.py" and "handler/lib/rules.py" would be one file where case does not count. Rename one.`,
    );
  });

  it("plans the same where the weights do not lie, from their lock alone", () => {
    const whole = planArchive(root, SOURCES);

    rmSync(join(root, "weights"), { recursive: true });

    const locked = planArchive(root, SOURCES);
    expect(locked.digest).toBe(whole.digest);
    expect(locked.entries.map(({ path }) => path)).toEqual(whole.entries.map(({ path }) => path));
  });
});

describe("weights beside the archive", () => {
  const BESIDE: ArchiveSources = { ...SOURCES, weightsIn: "artifact" };

  it("are named by the archive, with size and SHA-256, and are no part of it", () => {
    const { entries, beside } = planArchive(root, BESIDE);
    const packed = planArchive(root, SOURCES).entries;

    expect(entries.map(({ path }) => path)).toEqual(["handler.py", "lib/rules.py", "weights.json"]);
    expect(beside).toEqual(packed.filter(({ path }) => path.startsWith("weights/")));
    const text = entries.at(-1)?.text ?? "";
    expect(JSON.parse(text)).toEqual({
      schema: 1,
      files: beside?.map(({ path, size, sha256 }) => ({
        path: path.slice("weights/".length),
        size,
        sha256,
      })),
    });
    expect(entries.at(-1)).toMatchObject({
      size: text.length,
      sha256: createHash("sha256").update(text).digest("hex"),
    });
  });

  it("make another digest than packed ones, and another when they change", () => {
    const before = planArchive(root, BESIDE).digest;

    write("weights/unet/model.safetensors", tensors(10, "1"));

    expect(before).not.toBe(planLocked().digest);
    expect(before).not.toBe(planLocked(BESIDE).digest);
  });

  it("leave no room for a handler's own weights.json", () => {
    write("handler/weights.json", "{}");

    expect(refusal(BESIDE).message).toBe(
      `"handler/weights.json" and "weights.json" would be one file where case does not count. Rename one.`,
    );
  });
});

/** A tree of files, and an order in which they come to be. */
const TREES = fc
  .dictionary(
    fc.stringMatching(/^[a-zäß][a-z0-9 _äß]{0,6}(\/[a-z][a-z0-9]{0,3}){0,2}\.py$/),
    fc.string({ maxLength: 40 }),
    { maxKeys: 6 },
  )
  .chain((files) => {
    const paths = Object.keys(files);
    return fc.record({
      files: fc.constant(files),
      order: fc.shuffledSubarray(paths, { minLength: paths.length }),
    });
  });

describe("the digest of any handler", () => {
  const digest = () => planArchive(root, SOURCES).digest;
  const clear = () => rmSync(join(root, "handler"), { recursive: true });
  const lay = (files: Readonly<Record<string, string>>, order = Object.keys(files)) => {
    write("handler/handler.py", "def handle(data, context): ...\n");
    for (const path of order) write(`handler/${path}`, files[path] ?? "");
  };

  it("is the same whatever the order, the times and the modes, and another for any other path or content", () => {
    fc.assert(
      fc.property(TREES, fc.nat(), ({ files, order }, pick) => {
        clear();
        lay(files);
        const before = digest();
        clear();
        lay(files, order);
        for (const path of order) {
          utimesSync(join(root, "handler", path), pick % 1e6, pick % 1e6);
          chmodSync(join(root, "handler", path), 0o600);
        }
        expect(digest()).toBe(before);
        const chosen = order[pick % order.length];
        if (chosen === undefined) return;
        write(`handler/${chosen}`, `${files[chosen]}x`);
        expect(digest()).not.toBe(before);
        rmSync(join(root, "handler", chosen));
        expect(digest()).not.toBe(before);
        write(`handler/y${chosen}`, files[chosen] ?? "");
        expect(digest()).not.toBe(before);
      }),
      { numRuns: 100 },
    );
  });
});
