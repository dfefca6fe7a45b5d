import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { runEmulator, startEmulatorProcess } from "../support/emulator-process.ts";
import { emulatorState } from "../support/emulator.ts";
import { restOperation } from "../support/vertex-rest.ts";

const PARENT = "projects/local-project/locations/us-central1";
const TIMEOUT_MS = 60_000;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emulator-command-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe("node emulator/main.ts", () => {
  it(
    "writes its address to the data folder, and takes it away at SIGTERM",
    async () => {
      const data = join(folder, "address");
      const emulator = await startEmulatorProcess(data);

      const written: unknown = JSON.parse(readFileSync(join(data, "address.json"), "utf8"));
      await emulator.stop("SIGTERM");

      expect(written).toEqual({
        rest: expect.stringMatching(/^http:\/\/127\.0\.0\.1:[0-9]+$/),
        grpc: expect.stringMatching(/^127\.0\.0\.1:[0-9]+$/),
        pid: emulator.address.pid,
        data,
      });
      expect(existsSync(join(data, "address.json"))).toBe(false);
    },
    TIMEOUT_MS,
  );

  it(
    "refuses a data folder that a living emulator has, in one sentence",
    async () => {
      const data = join(folder, "owned");
      const emulator = await startEmulatorProcess(data);

      const second = await runEmulator(["--port", "0", "--grpc-port", "0", "--data", data]);
      await emulator.stop("SIGTERM");

      expect(second).toEqual({
        code: 1,
        stdout: "",
        stderr: `The emulator was not started: the data folder "${data}" is in use by the emulator with process id ${emulator.address.pid}. Stop it, or choose another folder with --data.\n`,
      });
    },
    TIMEOUT_MS,
  );

  it.each([{ option: "--port" }, { option: "--grpc-port" }])(
    "refuses a $option that is in use, in one sentence, and leaves the data folder free",
    async ({ option }) => {
      const other = createServer();
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
      const { port } = other.address() as AddressInfo;
      const data = join(folder, `port${option}`);
      const free = option === "--port" ? "--grpc-port" : "--port";

      const run = await runEmulator([option, String(port), free, "0", "--data", data]);
      await new Promise((resolve) => other.close(resolve));

      expect(run).toEqual({
        code: 1,
        stdout: "",
        stderr: `The emulator was not started: port ${port} on 127.0.0.1 is in use. Stop what uses it, or choose another with ${option} (0 = a free one).\n`,
      });
      expect(existsSync(join(data, "owner.json"))).toBe(false);
    },
    TIMEOUT_MS,
  );

  it.each([
    { args: ["--clock", "slow"], problem: /^--clock must be one of real, fast, manual/ },
    { args: ["--port", "http"], problem: /^--port must be a port number/ },
    { args: ["--prot", "1"], problem: /^Unknown option '--prot'.* See --help\.$/m },
  ])("refuses $args without a stack trace", async ({ args, problem }) => {
    const run = await runEmulator(args);

    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(problem);
    expect(run.stderr).not.toMatch(/^\s+at /m);
  });

  it(
    "has everything that was answered after kill -9 and a restart on the same folder",
    async () => {
      const data = join(folder, "killed");
      const first = await startEmulatorProcess(data, ["--clock", "fast"]);
      const path = `/v1/${PARENT}/endpoints?endpointId=42`;
      await restOperation(first.address.rest, "POST", path, { displayName: "kept" });
      const before = await emulatorState(first.address);

      await first.stop("SIGKILL");
      const second = await startEmulatorProcess(data, ["--clock", "fast"]);
      const after = await emulatorState(second.address);
      await second.stop("SIGTERM");

      expect(before.endpoints).toMatchObject([{ displayName: "kept" }]);
      expect(after).toEqual(before);
    },
    TIMEOUT_MS,
  );
});
