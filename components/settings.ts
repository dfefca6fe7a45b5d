import * as pulumi from "@pulumi/pulumi";

import type { RolloutKind } from "@vertex-diffusion/providers/deployment";

import { readAdopt } from "./adopt-setting.ts";
import type { AdoptSetting } from "./adopt-setting.ts";
import type { WeightsPlace } from "./archive-plan.ts";
import { checkContainer, defaultImageOf } from "./container-rules.ts";
import { checkMachine } from "./machine-rules.ts";
import type { Problem } from "./machine-rules.ts";
import { checkRollout } from "./rollout-rules.ts";
import { bucketNameProblem, defaultBucketName } from "./names.ts";

/** How the model is served: by Google's prebuilt PyTorch image with TorchServe, or by an image of one's own. */
export type ContainerKind = "prebuilt" | "custom";

/** One environment, as its stack file declares it. All defaults stand in Pulumi.yaml. */
export interface Settings {
  readonly project: string;
  readonly region: string;
  /** Stack name: part of every name that is derived. */
  readonly stack: string;
  /** True when the stack runs against the local Vertex AI. */
  readonly emulator: boolean;
  readonly container: ContainerKind;
  /** URI of the serving image; "" where the stack builds the custom container's. */
  readonly image: string;
  readonly machineType: string;
  readonly acceleratorType: string;
  readonly acceleratorCount: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** GPU duty cycle in percent at which replicas are added; null: the platform's own targets. */
  readonly targetGpuPercent: number | null;
  readonly spot: boolean;
  readonly serviceAccount: string | null;
  readonly dedicatedEndpoint: boolean;
  readonly handler: string;
  readonly weights: string;
  /** Folder with the configuration of a single-file checkpoint; null: the weights bring their own. */
  readonly weightsConfig: string | null;
  readonly weightsIn: WeightsPlace;
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly bucketName: string;
  readonly kmsKey: string | null;
  readonly forceDestroy: boolean;
  /** Whether destroy and replacement of what serves are refused. */
  readonly protect: boolean;
  /** How a new deployment takes over from the old one. */
  readonly rollout: RolloutKind;
  /** Percents that a canary gets, step by step. */
  readonly canarySteps: readonly number[];
  readonly canaryBakeSeconds: number;
  readonly canaryMinSamples: number;
  readonly maxLatencyRatio: number;
  /** Percent at which a new deployment is held beside the old one; null: it takes over. */
  readonly canaryPercent: number | null;
  readonly retryRollout: boolean;
  /** Alias of the version that is served whatever is declared; null: the declared one. */
  readonly pin: string | null;
  readonly keepVersions: number;
  /** What was made by hand and is taken over; null: the stack makes its own. */
  readonly adopt: AdoptSetting | null;
  readonly uploadTimeoutSeconds: number;
  readonly deployTimeoutSeconds: number;
  readonly undeployTimeoutSeconds: number;
  readonly deleteTimeoutSeconds: number;
}

const TIMEOUTS = [
  "uploadTimeoutSeconds",
  "deployTimeoutSeconds",
  "undeployTimeoutSeconds",
  "deleteTimeoutSeconds",
] as const;

/** Reads and checks the stack's settings. All that is wrong is said at once, before anything is created. */
export function readSettings(): Settings {
  const config = new pulumi.Config();
  const gcp = new pulumi.Config("gcp");
  const stack = pulumi.getStack();
  const problems: Problem[] = [];
  const project = gcp.get("project") ?? "";
  const region = gcp.get("region") ?? "";
  const bucketName = config.get("bucketName") || defaultBucketName(project, stack);
  if (project === "") {
    problems.push({
      setting: "gcp:project",
      reason: `no Google Cloud project is set. Run "npm run pulumi -- config set gcp:project YOUR-PROJECT --stack ${stack}".`,
    });
  }
  if (region === "") {
    problems.push({
      setting: "gcp:region",
      reason: `no region is set. Run "npm run pulumi -- config set gcp:region us-central1 --stack ${stack}".`,
    });
  }
  const settings: Settings = {
    project,
    region,
    stack,
    emulator: config.getBoolean("emulator") ?? false,
    container: config.require("container") as ContainerKind,
    image: config.get("image") || defaultImageOf(config.require("container")),
    machineType: config.require("machineType"),
    acceleratorType: config.require("acceleratorType"),
    acceleratorCount: config.requireNumber("acceleratorCount"),
    minReplicas: config.requireNumber("minReplicas"),
    maxReplicas: config.requireNumber("maxReplicas"),
    targetGpuPercent: config.requireNumber("targetGpuPercent") || null,
    spot: config.requireBoolean("spot"),
    serviceAccount: config.get("serviceAccount") || null,
    dedicatedEndpoint: config.requireBoolean("dedicatedEndpoint"),
    handler: config.require("handler"),
    weights: config.require("weights"),
    weightsConfig: config.get("weightsConfig") || null,
    weightsIn: config.require("weightsIn") as WeightsPlace,
    env: texts(config, "env"),
    labels: texts(config, "labels"),
    bucketName,
    kmsKey: config.get("kmsKey") || null,
    forceDestroy: config.requireBoolean("forceDestroy"),
    protect: config.requireBoolean("protect"),
    rollout: config.require("rollout") as RolloutKind,
    canarySteps: config.requireObject<number[]>("canarySteps"),
    canaryBakeSeconds: config.requireNumber("canaryBakeSeconds"),
    canaryMinSamples: config.requireNumber("canaryMinSamples"),
    maxLatencyRatio: Number(config.require("maxLatencyRatio")),
    canaryPercent: config.requireNumber("canaryPercent") || null,
    retryRollout: config.requireBoolean("retryRollout"),
    pin: config.get("pin") || null,
    keepVersions: config.requireNumber("keepVersions"),
    adopt: readAdopt(config.get("adopt"), { project, region }, problems),
    uploadTimeoutSeconds: config.requireNumber("uploadTimeoutSeconds"),
    deployTimeoutSeconds: config.requireNumber("deployTimeoutSeconds"),
    undeployTimeoutSeconds: config.requireNumber("undeployTimeoutSeconds"),
    deleteTimeoutSeconds: config.requireNumber("deleteTimeoutSeconds"),
  };
  // What only follows from a missing project or region is not said again in other words.
  const follows = new Set([
    ...(region === "" ? ["gcp:region"] : []),
    ...(project === "" && !config.get("bucketName") ? ["bucketName"] : []),
  ]);
  problems.push(...checkSettings(settings).filter(({ setting }) => !follows.has(setting)));
  if (problems.length > 0) throw new SettingsError(stack, problems);
  return settings;
}

/** Texts by name. YAML takes what stands there without quotes for a number or a truth value. */
function texts(config: pulumi.Config, setting: string): Record<string, string> {
  const values = config.getObject<Record<string, unknown>>(setting) ?? {};
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

/** Everything that is wrong with the settings, whatever stack they come from. */
export function checkSettings(settings: Settings): Problem[] {
  const problems = [...checkMachine(settings), ...checkRollout(settings)];
  const { minReplicas, maxReplicas, targetGpuPercent, keepVersions } = settings;
  problems.push(...checkContainer(settings));
  if (settings.weightsIn !== "archive" && settings.weightsIn !== "artifact") {
    problems.push({
      setting: "weightsIn",
      reason: `"${String(settings.weightsIn)}" is no place for weights. Offered: "archive", "artifact".`,
    });
  }
  if (!Number.isInteger(minReplicas) || minReplicas < 1) {
    problems.push({
      setting: "minReplicas",
      reason: `${minReplicas} is not offered: Vertex AI keeps at least 1 replica running. Set 1 or more.`,
    });
  }
  if (!Number.isInteger(maxReplicas) || maxReplicas < minReplicas) {
    problems.push({
      setting: "maxReplicas",
      reason: `${maxReplicas} is below minReplicas (${minReplicas}). Set ${minReplicas} or more.`,
    });
  }
  if (targetGpuPercent !== null && (targetGpuPercent < 1 || targetGpuPercent > 100)) {
    problems.push({
      setting: "targetGpuPercent",
      reason: `${targetGpuPercent} is not a percentage. Set 1 to 100, or 0 for the platform's own target.`,
    });
  }
  if (!Number.isInteger(keepVersions) || keepVersions < 1) {
    problems.push({
      setting: "keepVersions",
      reason: `${keepVersions} would delete the version in use. Set 1 or more.`,
    });
  }
  for (const setting of TIMEOUTS) {
    const seconds = settings[setting];
    if (Number.isInteger(seconds) && seconds >= 1) continue;
    problems.push({
      setting,
      reason: `${seconds} is not a time limit. Set whole seconds, 1 or more.`,
    });
  }
  for (const name of Object.keys(settings.env)) {
    if (name.startsWith("AIP_")) {
      problems.push({
        setting: "env",
        reason: `"${name}" is set by Vertex AI itself. Choose a name that does not start with AIP_.`,
      });
    }
  }
  const bucketProblem = bucketNameProblem(settings.bucketName);
  if (bucketProblem !== undefined) {
    problems.push({ setting: "bucketName", reason: `${bucketProblem} Choose another one.` });
  }
  return problems;
}

/** What is wrong with a stack file, one line a setting, shown without a stack trace. */
export class SettingsError extends pulumi.RunError {
  constructor(stack: string, problems: readonly Problem[]) {
    const lines = problems.map(({ setting, reason }) => `  ${fullKey(setting)}: ${reason}`);
    super(
      `Stack "${stack}" can't be deployed as Pulumi.${stack}.yaml declares it:\n${lines.join("\n")}`,
    );
  }
}

function fullKey(setting: string): string {
  return setting.includes(":") ? setting : `vertex-diffusion:${setting}`;
}
