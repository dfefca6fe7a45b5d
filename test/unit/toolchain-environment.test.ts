import { describe, expect, it } from "@jest/globals";
import { cloudEnvironment, localEnvironment } from "../../scripts/toolchain/environment.ts";
import type { GcpPlugin } from "../../scripts/toolchain/gcp-plugin.ts";

const root = "/project";
const cli = { root: "/cli", bin: "/cli/bin" };
const standInBin = "/project/emulator/gcp-plugin/bin";
const standIn: GcpPlugin = { kind: "stand-in", path: standInBin, why: "a test" };
const official: GcpPlugin = { kind: "official", path: "/plugins/resource-gcp-v9.37.0" };
const address = { rest: "http://127.0.0.1:8085", grpc: "127.0.0.1:8086" };

describe("localEnvironment", () => {
  it("is the whole of what a local stack needs", () => {
    const env = localEnvironment({
      root,
      cli,
      plugin: standIn,
      address,
      stack: "local",
      base: { PATH: "/usr/bin", HOME: "/home/me", XDG_CACHE_HOME: "/cache" },
    });

    expect(env).toEqual({
      GOOGLE_OAUTH_ACCESS_TOKEN: "local",
      GOOGLE_STORAGE_CUSTOM_ENDPOINT: "http://127.0.0.1:8085/storage/v1/",
      GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT: "http://127.0.0.1:8085/v1/",
      HOME: "/home/me",
      METADATA_SERVER_DETECTION: "none",
      NODE_COMPILE_CACHE: "/cache/vertex-diffusion/node-compile-cache",
      NODE_OPTIONS:
        "--disable-warning=ExperimentalWarning --import=file:///project/scripts/toolchain/end-with-engine.js",
      NO_PROXY: "127.0.0.1,localhost,::1",
      PATH: `${standInBin}:/cli/bin:/project/node_modules/.bin:/usr/bin`,
      PULUMI_BACKEND_URL: "file:///project/.local/pulumi/backend",
      PULUMI_CONFIG_PASSPHRASE: "",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_GCP_SKIP_REGION_VALIDATION: "true",
      PULUMI_HOME: "/project/.local/pulumi/home",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_STACK: "local",
      VERTEX_DIFFUSION_EMULATOR: "/project/.local/emulator/address.json",
      VERTEX_DIFFUSION_POLL_MS: "500",
      XDG_CACHE_HOME: "/cache",
      no_proxy: "127.0.0.1,localhost,::1",
    });
  });

  it("keeps the user's credentials, project and backend out", () => {
    const env = localEnvironment({
      root,
      cli,
      plugin: standIn,
      base: {
        GOOGLE_APPLICATION_CREDENTIALS: "/key.json",
        GOOGLE_CREDENTIALS: "{}",
        GOOGLE_IMPERSONATE_SERVICE_ACCOUNT: "a@b",
        GOOGLE_OAUTH_ACCESS_TOKEN: "real",
        GOOGLE_PROJECT: "mine",
        PULUMI_ACCESS_TOKEN: "pul-1",
        PULUMI_BACKEND_URL: "gs://mine",
        PULUMI_CONFIG_PASSPHRASE_FILE: "/secret",
      },
    });

    expect(JSON.stringify(env)).not.toMatch(/key\.json|\{\}|a@b|real|mine|pul-1|secret/);
  });

  it("lets the official plugin reach nothing outside this machine", () => {
    const env = localEnvironment({ root, cli, plugin: official, base: { NO_PROXY: "corp" } });

    expect(env["HTTPS_PROXY"]).toBe("http://127.0.0.1:9");
    expect(env["NO_PROXY"]).toBe("corp,127.0.0.1,localhost,::1");
  });

  it("keeps the stand-in off PATH when the official plugin serves", () => {
    const base = { PATH: `${standInBin}:/usr/bin` };

    const env = localEnvironment({ root, cli, plugin: official, base });

    expect(env["PATH"]).toBe("/cli/bin:/project/node_modules/.bin:/usr/bin");
  });
});

describe("cloudEnvironment", () => {
  it("lets nothing of a local stack through, even from inside one's environment", () => {
    const base = localEnvironment({
      root,
      cli,
      plugin: standIn,
      address,
      base: { PATH: "/usr/bin" },
    });

    const env = cloudEnvironment({ root, cli, base });

    expect(env["PATH"]).toBe("/cli/bin:/project/node_modules/.bin:/usr/bin");
    expect(JSON.stringify(env)).not.toMatch(/8085|address\.json|\.local|gcp-plugin/);
    expect(env["GOOGLE_OAUTH_ACCESS_TOKEN"]).toBeUndefined();
  });

  it("keeps the user's backend, credentials and private Google endpoints", () => {
    const base = {
      GOOGLE_APPLICATION_CREDENTIALS: "/key.json",
      GOOGLE_OAUTH_ACCESS_TOKEN: "real",
      GOOGLE_STORAGE_CUSTOM_ENDPOINT: "https://storage-mine.p.googleapis.com/storage/v1/",
      PULUMI_BACKEND_URL: "gs://mine",
    };

    expect(cloudEnvironment({ root, cli, base })).toMatchObject(base);
  });
});
