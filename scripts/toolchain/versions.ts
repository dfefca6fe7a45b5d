import { UserError } from "./user-error.ts";

/** The oldest Node that runs this project's TypeScript without a build step. */
export const MINIMUM_NODE = "22.18.0";

/** The one Python line that the model server's pinned packages are locked for. */
export const PYTHON_LINE = "3.11";

/** Compares dotted version numbers ("22.18.0", "v3.259.0", "17.0.9+9"): below, at or above 0. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [toNumbers(left), toNumbers(right)];
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

function toNumbers(version: string): number[] {
  const numbers = /\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0";
  return numbers.split(".").map(Number);
}

/** @throws UserError when this Node is too old to run the project. */
export function checkNode(version: string = process.versions.node): void {
  if (compareVersions(version, MINIMUM_NODE) < 0) {
    throw new UserError(
      `Node ${version} is too old: this project needs Node ${MINIMUM_NODE} or newer. ` +
        `Start its scripts with "npm run", which uses the Node that "npm ci" installed.`,
    );
  }
}

/** What `java -version` calls itself: "17.0.9", "11.0.21", "1.8.0_392"; undefined when it says none. */
export function parseJavaVersion(output: string): string | undefined {
  return /version "([^"]+)"/.exec(output)?.[1];
}

/** Whether TorchServe runs on this Java: 11 or newer. */
export function isUsableJava(version: string | undefined): boolean {
  return version !== undefined && compareVersions(version, "11") >= 0;
}
