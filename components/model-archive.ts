import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import type { ArchivePlan } from "@vertex-diffusion/providers/archive-plan";

import { planArchive } from "./archive-plan.ts";
import type { ArchiveSources } from "./archive-plan.ts";
import { SettingsError } from "./settings.ts";
import { ArchiveSourceError } from "./source-folder.ts";

/**
 * What model.mar is made of. A preview reads the handler and the lock, and the weights where they lie here; the archive
 * itself is built when the bucket lacks it.
 */
export class ModelArchive extends pulumi.ComponentResource {
  /** SHA-256 over paths and contents, hex. */
  readonly digest: string;
  /** The plan that the upload reads, relative to the project's folder. Written by `up` alone. */
  readonly planPath: string;

  constructor(name: string, args: ArchiveSources, opts?: pulumi.ComponentResourceOptions) {
    super("vertex-diffusion:index:ModelArchive", name, {}, opts);
    const root = process.cwd();
    const plan = planOrRefuse(root, args);
    this.digest = plan.digest;
    this.planPath = `.local/plans/${plan.digest}.json`;
    if (!pulumi.runtime.isDryRun()) writePlan(join(root, this.planPath), plan);
    this.registerOutputs({ digest: this.digest });
  }
}

function planOrRefuse(root: string, args: ArchiveSources): ArchivePlan {
  try {
    return planArchive(root, args);
  } catch (error) {
    if (!(error instanceof ArchiveSourceError)) throw error;
    throw new SettingsError(pulumi.getStack(), [{ setting: error.setting, reason: error.message }]);
  }
}

function writePlan(path: string, plan: ArchivePlan): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(plan, null, 1));
}
