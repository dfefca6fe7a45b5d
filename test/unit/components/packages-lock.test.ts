import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import {
  hashRequirements,
  parsePackagesLock,
  planPackages,
} from "../../../components/packages-lock.ts";
import { ArchiveSourceError } from "../../../components/source-folder.ts";
import { PROJECT_ROOT } from "../../../scripts/toolchain/project.ts";

const REQUIREMENTS = "pillow==11.3.0\n";
const WHEEL = {
  name: "pillow",
  version: "11.3.0",
  wheel: "pillow-11.3.0-cp39-cp39-manylinux2014_x86_64.whl",
  size: 7,
  sha256: "a".repeat(64),
  pythons: ["3.9"],
};
const LOCK = {
  schema: 1,
  requirements: hashRequirements(REQUIREMENTS),
  image: ["numpy<2"],
  pythons: ["3.9"],
  wheels: [WHEEL],
};

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "packages-lock-"));
  mkdirSync(join(root, "handler"));
  write("requirements.in", REQUIREMENTS);
  write("packages.lock", JSON.stringify(LOCK));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(name: string, content: string): void {
  writeFileSync(join(root, "handler", name), content);
}

function refusal(): string {
  try {
    planPackages(root, "handler");
  } catch (error) {
    if (error instanceof ArchiveSourceError) return error.message;
    throw error;
  }
  throw new Error("the lock was taken");
}

describe("planPackages", () => {
  it("names each wheel's place, project, size and hash from the lock alone", () => {
    expect(planPackages(root, "handler")).toEqual([
      {
        path: "packages/pillow-11.3.0-cp39-cp39-manylinux2014_x86_64.whl",
        source: "pillow-11.3.0-cp39-cp39-manylinux2014_x86_64.whl",
        size: 7,
        sha256: "a".repeat(64),
        origin: { kind: "pypi", project: "pillow" },
      },
    ]);
  });

  it("brings no packages for a handler that asks for none", () => {
    rmSync(join(root, "handler/requirements.in"));
    rmSync(join(root, "handler/packages.lock"));

    expect(planPackages(root, "handler")).toEqual([]);
  });

  it("takes a lock whose requirements differ in comments and line ends only", () => {
    write("requirements.in", "# The pictures.\r\npillow==11.3.0  # newest for 3.9\r\n\r\n");

    expect(planPackages(root, "handler")).toHaveLength(1);
  });

  it("refuses a lock that was made from other requirements", () => {
    write("requirements.in", "pillow==11.2.0\n");

    expect(refusal()).toBe(
      `"handler/packages.lock" was made from another "handler/requirements.in". Run "npm run lock".`,
    );
  });

  it("refuses requirements without a lock", () => {
    rmSync(join(root, "handler/packages.lock"));

    expect(refusal()).toBe(
      `"handler/requirements.in" has no packages.lock beside it. Run "npm run lock".`,
    );
  });

  it("refuses a lock without requirements", () => {
    rmSync(join(root, "handler/requirements.in"));

    expect(refusal()).toMatch(/^"handler\/packages.lock" has no requirements.in beside it. /);
  });

  it.each([
    { what: "no JSON", text: "<<<<<<< HEAD" },
    { what: "null", text: "null" },
    { what: "of a later schema", text: JSON.stringify({ ...LOCK, schema: 2 }) },
    { what: "without wheels", text: JSON.stringify({ ...LOCK, wheels: undefined }) },
    {
      what: "with a wheel outside of its folder",
      text: JSON.stringify({ ...LOCK, wheels: [{ ...WHEEL, wheel: "../evil.whl" }] }),
    },
    {
      what: "with a wheel without a hash",
      text: JSON.stringify({ ...LOCK, wheels: [{ ...WHEEL, sha256: "" }] }),
    },
    {
      what: "with a wheel twice",
      text: JSON.stringify({ ...LOCK, wheels: [WHEEL, WHEEL] }),
    },
  ])("refuses a lock that is $what", ({ text }) => {
    write("packages.lock", text);

    expect(refusal()).toBe(
      `"handler/packages.lock" is no packages.lock that can be read. Run "npm run lock".`,
    );
  });

  it("names the folder in the command for another handler", () => {
    mkdirSync(join(root, "mine"));
    writeFileSync(join(root, "mine/requirements.in"), REQUIREMENTS);

    expect(() => planPackages(root, "mine")).toThrow(`Run "npm run lock -- --handler mine".`);
  });
});

describe("the product's own packages.lock", () => {
  const lock = parsePackagesLock(readFileSync(join(PROJECT_ROOT, "handler/packages.lock"), "utf8"));
  const wheels = lock?.wheels ?? [];

  it("belongs to the handler's requirements.in", () => {
    expect(planPackages(PROJECT_ROOT, "handler").length).toBe(wheels.length);
  });

  it.each(["3.9", "3.10", "3.11"])("has one wheel of each package for Python %s", (python) => {
    const names = wheels.filter(({ pythons }) => pythons.includes(python)).map(({ name }) => name);

    expect(names).toEqual([...new Set(wheels.map(({ name }) => name))]);
  });

  it("has one version of each package for all Pythons", () => {
    const releases = new Set(wheels.map(({ name, version }) => `${name} ${version}`));

    expect(releases.size).toBe(new Set(wheels.map(({ name }) => name)).size);
  });

  it("leaves torch and numpy to the image", () => {
    expect(lock?.image).toEqual(["torch==2.4.1", "numpy<2"]);
    expect(wheels.filter(({ name }) => /^(torch|numpy|nvidia|triton)/.test(name))).toEqual([]);
  });
});
