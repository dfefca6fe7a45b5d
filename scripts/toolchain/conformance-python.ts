import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { ensureLockedPython, lookUpLockedPython } from "./locked-python.ts";
import type { LockedPython } from "./locked-python.ts";
import { describePlans } from "./plan.ts";
import { TOOLCHAIN_FOLDER } from "./project.ts";
import type { Report } from "./report.ts";

/** Google's Python clients: apart from the model server's environment, which must not know them. */
const ENVIRONMENT: LockedPython = {
  name: "conformance",
  what: "Google's Python clients",
  packages: "Google's Python clients",
  lock: join(TOOLCHAIN_FOLDER, "conformance/requirements.lock"),
  probeModule: "pytest",
  firstImport: "from google.cloud import aiplatform, aiplatform_v1beta1, storage",
  diskGb: 1,
};

/**
 * The Python that has Google's clients and pytest, made in the user's cache on first use, after saying what that takes.
 *
 * @throws UserError when there is no usable Python 3.11, PyPI can't be reached or the disk is full.
 */
export async function findConformancePython(report: Report): Promise<string> {
  const { isReady } = await lookUpLockedPython(ENVIRONMENT);
  if (!isReady) {
    // Measured with conformance/requirements.lock.
    const cost = { downloadMb: 60, diskMb: 250, minutes: 1 };
    const plan = { what: "Google's Python clients with pytest", how: "from PyPI", cost };
    describePlans([plan], cacheFolder()).forEach((line) => report.note(line));
  }
  return ensureLockedPython(ENVIRONMENT, report);
}
