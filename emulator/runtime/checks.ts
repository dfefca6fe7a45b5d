import type { Probe, ServerSpec } from "./server-spec.ts";

/** What one attempt of a check does. */
export type CheckAction =
  | {
      readonly kind: "http";
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      /** Healthy answers lie between these, both included. */
      readonly statuses: readonly [number, number];
    }
  | { readonly kind: "tcp" }
  /** Can't be done on this machine, so it counts as passed. */
  | { readonly kind: "not-run" };

/** One of the three things that Vertex asks a container again and again. */
export interface Check {
  /** "startup probe", "liveness check", as a person would call it. */
  readonly name: string;
  readonly action: CheckAction;
  readonly initialDelayMs: number;
  /** From the start of one attempt to the start of the next. */
  readonly periodMs: number;
  readonly timeoutMs: number;
  /** This many bad attempts in a row count. */
  readonly failureThreshold: number;
  readonly successThreshold: number;
  /** Whether the first success is looked for often, which makes a deploy quick and decides nothing else. */
  readonly isEager: boolean;
  /** Whether it is Google's own, since the spec has no probe. */
  readonly isDefault: boolean;
}

export interface Checks {
  readonly startup: Check | undefined;
  readonly health: Check;
  readonly liveness: Check;
  /** For the server's log: what of the spec is not done here, a sentence each. */
  readonly notices: readonly string[];
}

const DEFAULT_PORT = 8080;

/** Google's default checks: four bad attempts, ten seconds apart. */
const DEFAULT_TIMES = {
  initialDelayMs: 0,
  periodMs: 10_000,
  timeoutMs: 10_000,
  failureThreshold: 4,
  successThreshold: 1,
};

/** The checks of a container spec: its probes, and Google's defaults where it has none. */
export function checksOf(spec: ServerSpec): Checks {
  const { startupProbe, healthProbe, livenessProbe } = spec;
  const port = Number(spec.env["AIP_HTTP_PORT"] ?? DEFAULT_PORT);
  const askHealth: CheckAction = {
    kind: "http",
    path: spec.healthRoute,
    headers: {},
    statuses: [200, 200],
  };
  const connect: CheckAction = { kind: "tcp" };
  const notices: string[] = [];
  const fromProbe = (
    name: string,
    probe: Probe,
    fallback: CheckAction,
    instead: CheckAction = { kind: "not-run" },
  ): Check => {
    const why = whyNotRun(probe, port);
    if (why !== undefined) {
      const what = instead === fallback ? "the default check is made instead" : "counts as passed";
      notices.push(`the ${name} is not run and ${what}: ${why}`);
    }
    const action = why === undefined ? (actionOf(probe) ?? fallback) : instead;
    return { name, action, ...timesOf(probe), isEager: false, isDefault: false };
  };
  return {
    startup:
      startupProbe === undefined ? undefined : fromProbe("startup probe", startupProbe, askHealth),
    health:
      healthProbe === undefined
        ? {
            name: "health check",
            action: askHealth,
            ...DEFAULT_TIMES,
            isEager: true,
            isDefault: true,
          }
        : // A server that does not listen yet must get no predictions.
          fromProbe("health probe", healthProbe, askHealth, askHealth),
    liveness:
      livenessProbe === undefined
        ? {
            name: "liveness check",
            action: connect,
            ...DEFAULT_TIMES,
            isEager: false,
            isDefault: true,
          }
        : fromProbe("liveness probe", livenessProbe, connect),
    notices,
  };
}

function whyNotRun(probe: Probe, port: number): string | undefined {
  const { exec, grpc, httpGet, tcpSocket } = probe;
  if (exec !== undefined) return "the emulator runs nothing but its own servers, so no commands";
  if (grpc !== undefined) return "none of the emulator's servers has a gRPC health service";
  const target = httpGet ?? tcpSocket;
  if (target?.host) return `the emulator asks only the container itself, not "${target.host}"`;
  if (target?.port && target.port !== port) {
    return `the container's only port is ${port}, not ${target.port}`;
  }
  if (httpGet?.scheme?.toUpperCase() === "HTTPS") return "the emulator's servers speak plain HTTP";
  return undefined;
}

function actionOf({ httpGet, tcpSocket }: Probe): CheckAction | undefined {
  if (tcpSocket !== undefined) return { kind: "tcp" };
  if (httpGet === undefined) return undefined;
  const headers = (httpGet.httpHeaders ?? []).map(
    ({ name = "", value = "" }) => [name, value] as const,
  );
  return {
    kind: "http",
    path: httpGet.path || "/",
    headers: Object.fromEntries(headers),
    // As a kubelet judges.
    statuses: [200, 399],
  };
}

function timesOf(probe: Probe): typeof DEFAULT_TIMES {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: (probe.periodSeconds || 10) * 1000,
    timeoutMs: (probe.timeoutSeconds || 1) * 1000,
    failureThreshold: probe.failureThreshold || 3,
    successThreshold: probe.successThreshold || 1,
  };
}
