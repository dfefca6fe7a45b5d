import { describe, expect, it } from "@jest/globals";
import { verdictsOf } from "../../emulator/runtime/check-loop.ts";
import { checksOf } from "../../emulator/runtime/checks.ts";
import type { Check } from "../../emulator/runtime/checks.ts";
import { withRoute } from "../../emulator/runtime/http-client.ts";
import type { Probe } from "../../emulator/runtime/server-spec.ts";
import { lightSpec } from "../support/runtime-scene.ts";

const PROBE_TIMES = {
  initialDelayMs: 0,
  periodMs: 10_000,
  timeoutMs: 1000,
  failureThreshold: 3,
  successThreshold: 1,
};

describe("the checks of a container spec", () => {
  it("are Google's defaults without probes: four attempts, ten seconds apart, and no startup probe", () => {
    const checks = checksOf(lightSpec());

    const times = {
      initialDelayMs: 0,
      periodMs: 10_000,
      timeoutMs: 10_000,
      failureThreshold: 4,
      successThreshold: 1,
      isDefault: true,
    };
    expect(checks).toEqual({
      startup: undefined,
      health: {
        name: "health check",
        action: { kind: "http", path: "/ping", headers: {}, statuses: [200, 200] },
        isEager: true,
        ...times,
      },
      liveness: {
        name: "liveness check",
        action: { kind: "tcp" },
        isEager: false,
        ...times,
      },
      notices: [],
    });
  });

  it("take a probe's numbers, and the documented ones for those that are missing or 0", () => {
    const { startup, health, liveness } = checksOf(
      lightSpec({
        startupProbe: { httpGet: { path: "/started" }, periodSeconds: 0 },
        healthProbe: {
          tcpSocket: { port: 8080 },
          periodSeconds: 2,
          timeoutSeconds: 3,
          failureThreshold: 4,
          successThreshold: 5,
          initialDelaySeconds: 6,
        },
        livenessProbe: {},
      }),
    );

    expect(startup).toMatchObject(PROBE_TIMES);
    expect(startup?.action).toMatchObject({ path: "/started", statuses: [200, 399] });
    expect(health).toMatchObject({
      action: { kind: "tcp" },
      initialDelayMs: 6000,
      periodMs: 2000,
      timeoutMs: 3000,
      failureThreshold: 4,
      successThreshold: 5,
    });
    expect(liveness).toMatchObject({ action: { kind: "tcp" }, ...PROBE_TIMES });
  });

  it.each<{ what: string; probe: Probe; why: string }>([
    { what: "a command", probe: { exec: { command: ["true"] } }, why: "so no commands" },
    { what: "gRPC", probe: { grpc: { port: 8080 } }, why: "gRPC health service" },
    { what: "a port of another container", probe: { tcpSocket: { port: 22 } }, why: "not 22" },
    {
      what: "another host",
      probe: { httpGet: { path: "/", host: "example.com" } },
      why: 'not "example.com"',
    },
    { what: "HTTPS", probe: { httpGet: { scheme: "HTTPS" } }, why: "plain HTTP" },
  ])("do not reach for $what, and say so", ({ probe, why }) => {
    const checks = checksOf(
      lightSpec({ startupProbe: probe, healthProbe: probe, livenessProbe: probe }),
    );

    expect(checks.startup?.action).toEqual({ kind: "not-run" });
    expect(checks.health.action).toMatchObject({ kind: "http", path: "/ping" });
    expect(checks.liveness.action).toEqual({ kind: "not-run" });
    expect(checks.notices).toEqual([
      expect.stringContaining("the startup probe is not run and counts as passed"),
      expect.stringContaining("the health probe is not run and the default check is made instead"),
      expect.stringContaining("the liveness probe is not run and counts as passed"),
    ]);
    expect(checks.notices[0]).toContain(why);
  });
});

describe("the verdicts of a check", () => {
  it.each([
    {
      what: "four failures in a row and one success",
      thresholds: { failureThreshold: 4, successThreshold: 1 },
      attempts: [false, false, false, true, false, false, false, false, true],
      verdicts: ["3 passing", "7 failing", "8 passing"],
    },
    {
      what: "one failure and two successes in a row",
      thresholds: { failureThreshold: 1, successThreshold: 2 },
      attempts: [true, false, true, true],
      verdicts: ["1 failing", "3 passing"],
    },
  ])("come at $what", async ({ thresholds, attempts, verdicts }) => {
    const check: Check = {
      ...checksOf(lightSpec()).liveness,
      periodMs: 1,
      ...thresholds,
    };
    const over = new AbortController();
    let made = 0;
    const attempt = async (): Promise<boolean> => {
      const isGood = attempts[made] ?? false;
      made += 1;
      if (made > attempts.length) over.abort();
      return isGood;
    };

    const seen: string[] = [];
    for await (const verdict of verdictsOf(check, attempt, over.signal)) {
      seen.push(`${made - 1} ${verdict}`);
    }

    expect(seen).toEqual(verdicts);
  });
});

describe("the address of a route", () => {
  it.each([
    { route: "/ping", address: "http://127.0.0.1:81/ping" },
    { route: "@example.com/", address: "http://127.0.0.1:81/@example.com/" },
    { route: "0/ping", address: "http://127.0.0.1:81/0/ping" },
    { route: "//example.com/", address: "http://127.0.0.1:81//example.com/" },
  ])("of $route stays at the server", ({ route, address }) => {
    expect(withRoute("http://127.0.0.1:81", route)).toBe(address);
    expect(new URL(address).host).toBe("127.0.0.1:81");
  });
});
