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

import { ArchiveSourceError, planArchive } from "../../../components/archive-plan.ts";

const SOURCES = { handler: "handler", weights: "weights" };

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "archive-plan-"));
  write("handler/handler.py", "def handle(data, context): ...\n");
  write("handler/lib/rules.py", "LIMIT = 4\n");
  write("weights/model_index.json", "{}");
  write("weights/unet/model.safetensors", "0123456789");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
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
        size: 31,
        sha256: "dccfccad0351ec0d581cc0e7eb696b1ab80a57a126e80707032640aa91b2eecb",
      },
      {
        path: "lib/rules.py",
        source: "handler/lib/rules.py",
        size: 10,
        sha256: "24728f82663de2bf583080f02069f195ce4c8bf69930670fa9acacc314d205fd",
      },
      {
        path: "weights/model_index.json",
        source: "weights/model_index.json",
        size: 2,
        sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      },
      {
        path: "weights/unet/model.safetensors",
        source: "weights/unet/model.safetensors",
        size: 10,
        sha256: "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882",
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
    const moved = planArchive(root, { handler: "elsewhere/code", weights: "elsewhere/sd-1.5" });

    expect(moved.digest).toBe(before);
  });

  it.each([
    { case: "a handler line", path: "handler/handler.py", content: "def handle(d, c): ...\n" },
    {
      case: "a weight of the same size",
      path: "weights/unet/model.safetensors",
      content: "0123456780",
    },
    { case: "an added module", path: "handler/lib/new.py", content: "" },
    { case: "an added weights file", path: "weights/vae/config.json", content: "{}" },
  ])("changes the digest with $case", ({ path, content }) => {
    const before = planArchive(root, SOURCES).digest;

    write(path, content);

    expect(planArchive(root, SOURCES).digest).not.toBe(before);
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
    { path: "handler/pyproject.toml" },
    { path: "handler/README.md" },
    { path: "handler/.venv/bin/python" },
    { path: "weights/.gitattributes" },
  ])("leaves out $path", ({ path }) => {
    const before = planArchive(root, SOURCES);

    write(path, "not for the container");

    expect(planArchive(root, SOURCES)).toEqual(before);
  });

  it("packs a weights folder named tests: only handlers have tests", () => {
    write("weights/tests/config.json", "{}");

    const paths = planArchive(root, SOURCES).entries.map((entry) => entry.path);

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

  it("refuses a weights folder without model_index.json and says how to make one", () => {
    rmSync(join(root, "weights/model_index.json"));

    const error = refusal();

    expect(error.setting).toBe("weights");
    expect(error.message).toBe(
      `the folder "weights" has no model_index.json, so it is no diffusers pipeline. Save one there with pipeline.save_pretrained("weights").`,
    );
  });
});
