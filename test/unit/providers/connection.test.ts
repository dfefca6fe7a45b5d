import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { check } from "../../../providers/check.ts";
import { connectionProblem, readConnection } from "../../../providers/connection.ts";
import { ReconcileError } from "../../../providers/errors.ts";

const GOOGLE = { kind: "google" } as const;
const EMULATOR = {
  kind: "emulator",
  rest: "http://127.0.0.1:9085",
  grpc: "127.0.0.1:9086",
} as const;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "connection-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe("readConnection", () => {
  it.each([{ value: undefined }, { value: "" }])(
    "is Google with the variable $value",
    ({ value }) => {
      expect(readConnection({ VERTEX_DIFFUSION_EMULATOR: value })).toEqual(GOOGLE);
    },
  );

  it("is the emulator that wrote the address file", () => {
    const file = join(folder, "address.json");
    writeFileSync(file, JSON.stringify({ rest: EMULATOR.rest, grpc: EMULATOR.grpc, pid: 1 }));

    expect(readConnection({ VERTEX_DIFFUSION_EMULATOR: file })).toEqual(EMULATOR);
  });

  it("is the emulator at a REST address, with the default gRPC port beside it", () => {
    const connection = readConnection({ VERTEX_DIFFUSION_EMULATOR: "http://127.0.0.1:8085/" });

    expect(connection).toEqual({
      kind: "emulator",
      rest: "http://127.0.0.1:8085",
      grpc: "127.0.0.1:8086",
    });
  });

  it("says how to start the emulator when its address file is not there", () => {
    const file = join(folder, "address.json");

    const read = () => readConnection({ VERTEX_DIFFUSION_EMULATOR: file });

    expect(read).toThrow(ReconcileError);
    expect(read).toThrow(
      `The local Vertex AI is not running: there is no address at "${file}". Start it with "npm run local" or "npm run emulator".`,
    );
  });
});

describe("connectionProblem", () => {
  it.each([
    { stack: "a local stack", emulator: true, connection: EMULATOR },
    { stack: "a cloud stack", emulator: false, connection: GOOGLE },
  ])("$stack takes a connection to $connection.kind", ({ emulator, connection }) => {
    expect(connectionProblem(emulator, connection)).toBeUndefined();
  });

  it("refuses a local stack that would talk to Google", () => {
    expect(connectionProblem(true, GOOGLE)).toBe(
      `This stack says "emulator: true", but VERTEX_DIFFUSION_EMULATOR is not set, so it would talk to Google. Run it with "npm run pulumi -- ARGS", or remove vertex-diffusion:emulator from the stack file.`,
    );
  });

  it("refuses a cloud stack that would talk to an emulator", () => {
    expect(connectionProblem(false, EMULATOR)).toBe(
      "This stack is meant for Google Cloud, but VERTEX_DIFFUSION_EMULATOR points to a local emulator. Unset it, or set vertex-diffusion:emulator to true in the stack file.",
    );
  });
});

describe("check of a dynamic resource", () => {
  let given: string | undefined;

  beforeEach(() => {
    given = process.env.VERTEX_DIFFUSION_EMULATOR;
  });

  afterEach(() => {
    if (given === undefined) delete process.env.VERTEX_DIFFUSION_EMULATOR;
    else process.env.VERTEX_DIFFUSION_EMULATOR = given;
  });

  it("takes the inputs as they are when the stack fits its cloud", async () => {
    delete process.env.VERTEX_DIFFUSION_EMULATOR;
    const inputs = { emulator: false, size: 1 };

    expect(await check(inputs, inputs)).toEqual({ inputs, failures: [] });
  });

  it("fails on the setting in preview when the stack does not fit its cloud", async () => {
    delete process.env.VERTEX_DIFFUSION_EMULATOR;
    const inputs = { emulator: true };

    const { failures } = await check(inputs, inputs);

    expect(failures).toEqual([{ property: "emulator", reason: connectionProblem(true, GOOGLE) }]);
  });

  it("fails in preview, not with an exception, when no emulator runs", async () => {
    process.env.VERTEX_DIFFUSION_EMULATOR = join(folder, "address.json");
    const inputs = { emulator: true };

    const { failures } = await check(inputs, inputs);

    expect(failures).toEqual([
      {
        property: "emulator",
        reason: expect.stringContaining("The local Vertex AI is not running"),
      },
    ]);
  });
});
