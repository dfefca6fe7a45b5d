import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";

import type { AutoscalingMetric } from "@vertex-diffusion/providers/deployed";

import type { ArtifactUpload } from "./artifact-upload.ts";
import { markedLabels } from "./marks.ts";
import type { ModelArchive } from "./model-archive.ts";
import type { ModelBucket } from "./model-bucket.ts";
import { modelNameOf, servingIdsOf } from "./names.ts";
import { pinNotice, takeoverOf } from "./pin.ts";
import { Adoption } from "./resources/adoption.ts";
import { Claim } from "./resources/claim.ts";
import { ModelDeployment } from "./resources/model-deployment.ts";
import { VertexModel } from "./resources/vertex-model.ts";
import type { ServingContainer } from "./serving-container.ts";
import { versionAliasOf } from "./serving-spec.ts";
import type { Settings } from "./settings.ts";
import type { StackContext } from "./stack-context.ts";

export interface GpuEndpointArgs {
  readonly stack: StackContext;
  readonly archive: ModelArchive;
  readonly artifact: ArtifactUpload;
  readonly container: ServingContainer;
  readonly bucket: ModelBucket;
  /** Machine, replicas, container and limits of this environment. */
  readonly settings: Settings;
}

/**
 * A Vertex AI endpoint that serves the archive on accelerators: the registry model with one version per serving spec, the
 * endpoint, and the deployment that owns its traffic. Every replica is billed from deploy until destroy, also when idle.
 */
export class GpuEndpoint extends pulumi.ComponentResource {
  /** Resource name of the model version that is served, "projects/P/locations/L/models/M@3". */
  readonly model: pulumi.Output<string>;
  /** projects/P/locations/L/endpoints/E. */
  readonly endpoint: pulumi.Output<string>;
  readonly deployedModelId: pulumi.Output<string>;
  /** Host of a dedicated endpoint; empty for a shared one. */
  readonly dedicatedEndpointDns: pulumi.Output<string>;

  constructor(name: string, args: GpuEndpointArgs, opts?: pulumi.ComponentResourceOptions) {
    super("vertex-diffusion:index:GpuEndpoint", name, {}, opts);
    const { stack, settings } = args;
    const { emulator, stackUid, project, region, recorded } = stack;
    const { undeployTimeoutSeconds, deleteTimeoutSeconds, protect } = settings;
    const context = { emulator, stackUid, project };
    const { modelId, endpointId } = servingIdsOf(settings);
    const modelName = modelNameOf(settings);
    const endpointName = `projects/${project}/locations/${region}/endpoints/${endpointId}`;
    const servingSpec = args.container.spec;
    const declaredAlias = versionAliasOf(args.archive.digest, servingSpec);
    const pinned = pinNotice(settings, declaredAlias);
    if (pinned !== null) void pulumi.log.warn(pinned, this);

    const names = { endpoint: endpointName, modelName };
    const adoption = settings.adopt && this.#adopt(name, args, names, declaredAlias);
    const afterAdoption = adoption === null ? [] : [adoption];

    const modelClaim = new Claim(
      `${name}-model-claim`,
      context,
      { kind: "model", modelName, deleteTimeoutSeconds },
      { parent: this, dependsOn: [args.artifact, ...args.container.after, ...afterAdoption] },
    );
    const model = new VertexModel(
      `${name}-model`,
      {
        ...context,
        location: region,
        modelId,
        modelName: modelClaim.modelName,
        displayName: modelId,
        description: `Stable Diffusion of stack ${settings.stack}, managed by vertex-diffusion.`,
        labels: stack.labels,
        adopted: adoption !== null,
        artifactUri: args.artifact.artifactUri,
        servingSpec,
        versionAlias: declaredAlias,
        uploadTimeoutSeconds: settings.uploadTimeoutSeconds,
        deleteTimeoutSeconds,
      },
      { parent: this, protect },
    );
    const endpointClaim = new Claim(
      `${name}-claim`,
      context,
      {
        kind: "endpoint",
        endpoint: endpointName,
        // One that is adopted is there and stays: nothing makes way for it.
        recorded: adoption !== null || recorded.has("gcp:vertex/aiEndpoint:AiEndpoint", name),
        undeployTimeoutSeconds,
        deleteTimeoutSeconds,
      },
      // Its replacement deletes the endpoint, so the bucket comes first (see ModelBucket).
      { parent: this, dependsOn: [args.bucket, ...afterAdoption] },
    );
    const endpoint = new gcp.vertex.AiEndpoint(
      name,
      {
        name: endpointClaim.endpoint.apply(lastSegmentOf),
        displayName: modelId,
        description: `Stable Diffusion of stack ${settings.stack}, managed by vertex-diffusion.`,
        project,
        location: region,
        // An import does not read it, and a region that appears would replace the endpoint.
        ...(adoption === null ? { region } : {}),
        labels: markedLabels(stack),
        dedicatedEndpointEnabled: settings.dedicatedEndpoint,
        ...(settings.kmsKey === null ? {} : { encryptionSpec: { kmsKeyName: settings.kmsKey } }),
      },
      // Its id is chosen, so the old one must be gone before a new one of that id is made.
      {
        parent: this,
        deleteBeforeReplace: true,
        protect,
        ...(adoption === null ? {} : { import: endpointName, ignoreChanges: [...LEFT_AS_MADE] }),
      },
    );
    const deploymentClaim = new Claim(
      `${name}-deployment-claim`,
      context,
      { kind: "deployment", endpoint: endpoint.id, undeployTimeoutSeconds },
      // After the model: a destroy that finds an unrecorded deployment must undeploy it before the model goes.
      { parent: this, dependsOn: model },
    );
    const deployment = new ModelDeployment(
      `${name}-deployment`,
      {
        emulator,
        stackUid,
        project,
        endpoint: deploymentClaim.endpoint,
        // By the model's own output: when the model is replaced, its deployment must be deleted before it.
        modelName: model.modelName,
        versionAlias: settings.pin ?? declaredAlias,
        declaredAlias,
        ...toServing(settings),
        canaryBakeSeconds: settings.canaryBakeSeconds,
        canaryMinSamples: settings.canaryMinSamples,
        maxLatencyRatio: settings.maxLatencyRatio,
        retryRollout: settings.retryRollout,
        keepVersions: settings.keepVersions,
        bucket: args.bucket.bucketName,
        deployTimeoutSeconds: settings.deployTimeoutSeconds,
        undeployTimeoutSeconds,
        deleteTimeoutSeconds,
      },
      { parent: this, protect },
    );
    this.model = pulumi.interpolate`${model.modelName}@${deployment.versionId}`;
    this.endpoint = endpoint.id;
    this.deployedModelId = deployment.deployedModelId;
    this.dedicatedEndpointDns = endpoint.dedicatedEndpointDns.apply((dns) => dns ?? "");
    this.registerOutputs({ model: this.model, endpoint: this.endpoint });
  }

  /** Marks what was made by hand, before anything else looks at it. */
  #adopt(
    name: string,
    args: GpuEndpointArgs,
    names: { readonly endpoint: string; readonly modelName: string },
    versionAlias: string,
  ): Adoption {
    const { settings } = args;
    const { emulator, stackUid, project } = args.stack;
    const context = { emulator, stackUid, project };
    const { dedicatedEndpoint, kmsKey } = settings;
    const claim = new Claim(
      `${name}-adoption-claim`,
      context,
      { kind: "adoption", ...names },
      { parent: this, dependsOn: args.artifact },
    );
    return new Adoption(
      `${name}-adoption`,
      {
        ...context,
        endpoint: claim.endpoint,
        modelName: claim.modelName,
        version: settings.adopt?.version ?? "",
        versionAlias,
        declared: { ...toServing(settings), dedicatedEndpoint, kmsKey },
      },
      { parent: this },
    );
  }
}

/** Fields of an adopted endpoint that no setting declares: they stay as they were made by hand. */
const LEFT_AS_MADE = [
  "displayName",
  "description",
  "network",
  "privateServiceConnectConfig",
  "predictRequestResponseLoggingConfig",
] as const;

function lastSegmentOf(resourceName: string): string {
  return resourceName.slice(resourceName.lastIndexOf("/") + 1);
}

/** What one replica runs on, how many there are, and how a new deployment takes over. */
function toServing(settings: Settings) {
  return {
    machineType: settings.machineType,
    acceleratorType: settings.acceleratorType,
    acceleratorCount: settings.acceleratorCount,
    minReplicas: settings.minReplicas,
    maxReplicas: settings.maxReplicas,
    autoscaling: toAutoscaling(settings.targetGpuPercent),
    spot: settings.spot,
    serviceAccount: settings.serviceAccount,
    ...takeoverOf(settings),
    canarySteps: [...settings.canarySteps],
  };
}

/** Metric name: Vertex AI, "Scale inference nodes by using autoscaling". */
function toAutoscaling(targetGpuPercent: number | null): AutoscalingMetric[] {
  if (targetGpuPercent === null) return [];
  return [
    {
      metricName: "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle",
      target: targetGpuPercent,
    },
  ];
}
