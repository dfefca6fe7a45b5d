import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { ServerPool } from "../../emulator/runtime/server-pool.ts";
import { LIGHT_PYTHON, lightServer } from "../support/light-server.ts";

it("runs the process of a runtime that is given from outside, until it is stopped", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "light-server-"));
  const pool = new ServerPool({
    dataDir,
    python: LIGHT_PYTHON,
    startupTimeoutMs: 10_000,
    runtime: lightServer,
  });

  await pool.start({
    id: "one",
    archive: "",
    env: {},
    healthRoute: "/ping",
    predictRoute: "/predict",
  });
  const url = pool.predictUrl("one") ?? "";
  const answer = await fetch(url, {
    method: "POST",
    body: JSON.stringify({ instances: [{ prompt: "a" }] }),
  });
  const body: unknown = await answer.json();
  await pool.stop("one");

  expect(body).toEqual({ predictions: [{ prompt: "a" }] });
  await expect(fetch(url, { method: "POST" })).rejects.toThrow("fetch failed");
  await rm(dataDir, { recursive: true });
});
