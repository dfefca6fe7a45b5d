import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { describe, expect, it } from "@jest/globals";

import { LOAD_TIMEOUT_MS } from "../support/mocks.ts";
import { minimalConfig } from "../support/project-config.ts";
import { useRecordedProgram } from "../support/recorded-program.ts";

const PROJECT = join(import.meta.dirname, "..", "..");
const TEXT_LIMIT_BYTES = 3000;
const METHODS = ["check", "create", "delete", "diff", "read", "update"];

/** Evaluates a provider's text as the engine's provider process does, calls one method and prints what it found. */
const EVALUATE = `
  const [, , method] = process.argv;
  const read = async () => { let text = ""; for await (const part of process.stdin) text += part; return text; };
  read().then(async (text) => {
    const exports = {};
    const load = require("node:module").createRequire(process.cwd() + "/");
    new Function("exports", "require", text)(exports, load);
    const provider = exports.handler();
    const inputs = { emulator: false, stackUid: "0a1b2c3d4e5f" };
    const answer = await provider[method](inputs, inputs);
    console.log(JSON.stringify({ methods: Object.keys(provider).sort(), answer }));
  });
`;

function evaluate(text: string, method: string): { methods: string[]; answer: unknown } {
  const { VERTEX_DIFFUSION_EMULATOR: _local, NODE_OPTIONS: _jest, ...env } = process.env;
  const result = spawnSync(
    process.execPath,
    ["--input-type=commonjs", "-e", EVALUATE, "node", method],
    { cwd: PROJECT, env, input: text, encoding: "utf8" },
  );
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as { methods: string[]; answer: unknown };
}

/** What Pulumi stores of each dynamic provider and runs in a process that has nothing of the program. */
describe("the stored text of a dynamic provider", () => {
  const program = useRecordedProgram("dev", minimalConfig);

  it.each([
    { type: "StackIdentity", module: "@vertex-diffusion/providers/identity" },
    { type: "Claim", module: "@vertex-diffusion/providers/claim" },
    { type: "ArchiveUpload", module: "@vertex-diffusion/providers/upload" },
    { type: "VertexModel", module: "@vertex-diffusion/providers/model" },
    { type: "ModelDeployment", module: "@vertex-diffusion/providers/deployment" },
  ])("$type is small, names $module and no folder of this machine", ({ type, module }) => {
    const text = program.providerText(type);

    expect(Buffer.byteLength(text)).toBeLessThan(TEXT_LIMIT_BYTES);
    expect(text).toContain(module);
    expect(text).not.toContain(PROJECT);
    expect(text).not.toMatch(/["'`](\/|[A-Za-z]:\\|\.\.?\/)/);
  });

  it.each([
    { type: "Claim" },
    { type: "ArchiveUpload" },
    { type: "VertexModel" },
    { type: "ModelDeployment" },
  ])(
    "$type loads its module in a bare process: check takes the inputs of a cloud stack",
    ({ type }) => {
      const { methods, answer } = evaluate(program.providerText(type), "check");

      expect(methods).toEqual(METHODS);
      expect(answer).toEqual({
        inputs: { emulator: false, stackUid: "0a1b2c3d4e5f" },
        failures: [],
      });
    },
    LOAD_TIMEOUT_MS,
  );

  it(
    "StackIdentity gives a uid of 12 hex digits in a bare process, another one each time",
    () => {
      const text = program.providerText("StackIdentity");

      const first = evaluate(text, "create");
      const second = evaluate(text, "create");

      expect(first.methods).toEqual(METHODS);
      expect(first.answer).toEqual({
        id: expect.stringMatching(/^[0-9a-f]{12}$/),
        outs: { uid: expect.stringMatching(/^[0-9a-f]{12}$/) },
      });
      expect(second.answer).not.toEqual(first.answer);
    },
    LOAD_TIMEOUT_MS,
  );

  it("is the same text for every resource of a class: only the module tells classes apart", () => {
    const strip = (type: string, module: string) =>
      program.providerText(type).replaceAll(`@vertex-diffusion/providers/${module}`, "MODULE");

    expect(strip("VertexModel", "model")).toBe(strip("ModelDeployment", "deployment"));
    expect(strip("Claim", "claim")).toBe(strip("ArchiveUpload", "upload"));
  });
});
