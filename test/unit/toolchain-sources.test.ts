import { describe, expect, it } from "@jest/globals";
import { chooseGcpPlugin } from "../../scripts/toolchain/gcp-plugin.ts";
import { parseGoDirective } from "../../scripts/toolchain/go.ts";
import { describePlans } from "../../scripts/toolchain/plan.ts";
import { choosePulumi, describePulumi } from "../../scripts/toolchain/pulumi-cli.ts";
import { choosePython } from "../../scripts/toolchain/pypi.ts";
import { describePython } from "../../scripts/toolchain/python-env.ts";
import { UserError } from "../../scripts/toolchain/user-error.ts";
import {
  checkNode,
  compareVersions,
  isUsableJava,
  parseJavaVersion,
} from "../../scripts/toolchain/versions.ts";

describe("choosePulumi", () => {
  const nothing = { isDownloadHostReachable: false, go: { kind: "pypi" } } as const;

  it.each([
    {
      title: "takes the CLI that the variable names before an installed one",
      facts: { ...nothing, override: "/mine", installed: "/usr/local" },
      source: { kind: "override", root: "/mine" },
    },
    {
      title: "takes an installed CLI before the cached one",
      facts: { ...nothing, installed: "/usr/local", cached: "/cache/pulumi-1" },
      source: { kind: "installed", root: "/usr/local" },
    },
    {
      title: "takes the cached CLI before a download",
      facts: { ...nothing, cached: "/cache/pulumi-1", isDownloadHostReachable: true },
      source: { kind: "cached", root: "/cache/pulumi-1" },
    },
    {
      title: "downloads before it builds",
      facts: { ...nothing, isDownloadHostReachable: true },
      source: { kind: "download" },
    },
    {
      title: "builds when the download host does not answer",
      facts: nothing,
      source: { kind: "build", go: { kind: "pypi" } },
    },
  ])("$title", ({ facts, source }) => {
    expect(choosePulumi(facts)).toEqual(source);
  });
});

describe("choosePython", () => {
  const old = { path: "/usr/bin/python3", version: "3.9.2", hasVenv: true };
  const bare = { path: "/usr/bin/python3.11", version: "3.11.2", hasVenv: false };
  const whole = { path: "/opt/python3.11", version: "3.11.7", hasVenv: true };

  it("takes the first 3.11 that can make virtual environments", () => {
    expect(choosePython([old, bare, whole])).toEqual({
      path: "/opt/python3.11",
      version: "3.11.7",
    });
  });

  it("does not take 3.1 or 3.110 for 3.11", () => {
    const near = ["3.1.1", "3.110.0"].map((version) => ({ ...whole, version }));

    expect(() => choosePython(near)).toThrow(UserError);
  });

  it("says what to install when only venv is missing", () => {
    expect(() => choosePython([old, bare])).toThrow(
      'Python 3.11.2 at "/usr/bin/python3.11" can\'t make virtual environments: its venv or ensurepip ' +
        'module is missing. Install it ("apt install python3.11-venv" on Debian and Ubuntu).',
    );
  });

  it("says which versions it found when none fits", () => {
    expect(() => choosePython([old])).toThrow("was not found (found: 3.9.2). Install Python 3.11");
  });
});

describe("chooseGcpPlugin", () => {
  const nothing = { allowDownload: true, isDownloadHostReachable: false };

  it.each([
    {
      title: "takes the official plugin that is there",
      facts: { ...nothing, official: "/plugins/gcp" },
      source: { kind: "official", path: "/plugins/gcp" },
    },
    {
      title: "takes the stand-in when asked to, though the official one is there",
      facts: { ...nothing, forced: "stand-in", official: "/plugins/gcp" },
      source: { kind: "stand-in", why: 'VERTEX_DIFFUSION_GCP_PLUGIN is "stand-in"' },
    },
    {
      title: "downloads when that is allowed and the host answers",
      facts: { allowDownload: true, isDownloadHostReachable: true },
      source: { kind: "download" },
    },
    {
      title: "does not download unasked",
      facts: { allowDownload: false, isDownloadHostReachable: true },
      source: { kind: "stand-in", why: "the official gcp plugin 9.37.0 is not installed" },
    },
    {
      title: "takes the stand-in when the host does not answer",
      facts: nothing,
      source: {
        kind: "stand-in",
        why: "the official gcp plugin 9.37.0 is not installed and get.pulumi.com can't be reached",
      },
    },
  ])("$title", ({ facts, source }) => {
    expect(chooseGcpPlugin(facts, "9.37.0")).toEqual(source);
  });

  it("refuses when the official plugin is insisted on and can't be had", () => {
    expect(() => chooseGcpPlugin({ ...nothing, forced: "official" }, "9.37.0")).toThrow(
      'Install it with "npm run pulumi -- plugin install resource gcp 9.37.0"',
    );
  });

  it("refuses a misspelt variable", () => {
    expect(() => chooseGcpPlugin({ ...nothing, forced: "offical" }, "9.37.0")).toThrow(
      'VERTEX_DIFFUSION_GCP_PLUGIN is "offical"',
    );
  });
});

describe("describePlans", () => {
  it("says what, from where, how much and how long before anything is downloaded", () => {
    const pulumi = describePulumi({ kind: "build", go: { kind: "path", go: "go" } }, "3.259.0");
    const base = { path: "/usr/bin/python3.11", version: "3.11.2" };
    const python = describePython({ kind: "make", base });

    expect(describePlans([pulumi, python], "/cache")).toEqual([
      "To get ready, once on this machine: about 3.3 GB to download, 8 minutes, 5.3 GB kept in /cache.",
      "  - Pulumi CLI 3.259.0: get.pulumi.com can't be reached, so built from Go modules " +
        "(about 310 MB to download, 5 minutes)",
      "  - Python 3.11 with torch and TorchServe: from PyPI, on /usr/bin/python3.11 " +
        "(about 3.0 GB to download, 3 minutes)",
    ]);
  });

  it("says nothing when everything is ready", () => {
    const pulumi = describePulumi({ kind: "cached", root: "/cache/pulumi-1" }, "3.259.0");

    expect(describePlans([pulumi], "/cache")).toEqual([]);
  });
});

describe("versions", () => {
  it.each([
    { left: "v3.259.0", right: "3.259.0", sign: 0 },
    { left: "22.9.0", right: "22.18.0", sign: -1 },
    { left: "go1.26.8", right: "1.25.11", sign: 1 },
    { left: "11", right: "11.0.1", sign: -1 },
  ])("$left against $right is $sign", ({ left, right, sign }) => {
    expect(Math.sign(compareVersions(left, right))).toBe(sign);
  });

  it("refuses a Node that is too old and names npm run", () => {
    expect(() => checkNode("20.11.0")).toThrow(
      'Node 20.11.0 is too old: this project needs Node 22.18.0 or newer. Start its scripts with "npm run"',
    );
  });

  it("takes the oldest Node that runs TypeScript", () => {
    expect(() => checkNode("22.18.0")).not.toThrow();
  });

  it.each([
    { output: 'openjdk version "17.0.9" 2023-10-17', isUsable: true },
    { output: 'openjdk version "11.0.21" 2023-10-17', isUsable: true },
    { output: 'java version "1.8.0_392"', isUsable: false },
    { output: "no Java here", isUsable: false },
  ])("usable Java ($isUsable): $output", ({ output, isUsable }) => {
    expect(isUsableJava(parseJavaVersion(output))).toBe(isUsable);
  });

  it("reads the Go version that a go.mod asks for", () => {
    expect(parseGoDirective("module x\n\ngo 1.25.11\n\ntool y\n")).toBe("1.25.11");
  });
});
