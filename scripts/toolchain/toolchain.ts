import { cacheFolder } from "./cache.ts";
import { findGcpPlugin, planGcpPlugin } from "./gcp-plugin.ts";
import type { GcpPlugin } from "./gcp-plugin.ts";
import { fetchHandlerPackages, planHandlerPackages } from "./handler-packages.ts";
import { describePlans } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { findPulumi, planPulumi } from "./pulumi-cli.ts";
import type { PulumiCli } from "./pulumi-cli.ts";
import { findPython, planPython } from "./python-env.ts";
import type { PythonEnv } from "./python-env.ts";
import type { Report } from "./report.ts";
import { checkNode } from "./versions.ts";

/** Everything that a local stack needs beside npm packages. */
export interface Toolchain {
  readonly pulumi: PulumiCli;
  readonly python: PythonEnv;
  readonly gcpPlugin: GcpPlugin;
}

/** What `ensureToolchain` may do. */
export interface ToolchainOptions {
  /** Whether the official gcp plugin may be downloaded. @default true */
  readonly allowDownload?: boolean;
}

/**
 * Says what getting ready would take; changes nothing.
 *
 * @throws UserError when Node or Python does not fit.
 */
export async function planToolchain(options: ToolchainOptions = {}): Promise<Plan[]> {
  checkNode();
  const { allowDownload = true } = options;
  return Promise.all([
    planPulumi(),
    planPython(),
    planHandlerPackages(),
    planGcpPlugin({ allowDownload }),
  ]);
}

/**
 * Makes the Pulumi CLI, the Python environment, the handler's packages and the gcp plugin ready,
 * after saying what that takes. Instant when everything is there.
 *
 * @throws UserError when something can't be had, with what to do.
 */
export async function ensureToolchain(
  report: Report,
  options: ToolchainOptions = {},
): Promise<Toolchain> {
  const plans = await planToolchain(options);
  describePlans(plans, cacheFolder()).forEach((line) => report.note(line));
  const pulumi = await findPulumi(report);
  const python = await findPython(report);
  await fetchHandlerPackages(report);
  const { allowDownload = true } = options;
  const gcpPlugin = await findGcpPlugin(report, { allowDownload, cli: pulumi });
  return { pulumi, python, gcpPlugin };
}
