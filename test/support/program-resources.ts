import * as gcp from "../../emulator/gcp-plugin/lifecycle.ts";
import { GoogleRest } from "../../emulator/gcp-plugin/google-rest.ts";
import { resolveConfig } from "../../emulator/gcp-plugin/provider-config.ts";
import type { Properties, ResourceType } from "../../emulator/gcp-plugin/resource-type.ts";
import { AI_ENDPOINT } from "../../emulator/gcp-plugin/types/ai-endpoint.ts";
import { BUCKET as BUCKET_TYPE } from "../../emulator/gcp-plugin/types/bucket.ts";
import * as claim from "../../providers/claim.ts";
import type { ClaimInputs } from "../../providers/claim.ts";
import { readConnection } from "../../providers/connection.ts";
import * as deployment from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import { withMarks } from "../../providers/ownership.ts";
import * as upload from "../../providers/upload.ts";
import * as spec from "./program-settings.ts";
import type { ProgramSettings } from "./program-settings.ts";
import type { Reconciler } from "./small-engine.ts";

/** What one run of the engine is told. */
export interface Declared {
  readonly settings: ProgramSettings;
  /** Digest of the declared archive; its plan lies beside the worker as DIGEST.json. */
  readonly digest: string;
  readonly stackUid: string;
  /** Longest wait for one upload or deploy, seconds. */
  readonly timeoutSeconds: number;
}

/** A resource of the stack: who reconciles it, and what is declared of it. */
export interface ProgramResource {
  readonly name: string;
  readonly reconciler: Reconciler<unknown, unknown>;
  inputs(declared: Declared, isRecorded: (name: string) => boolean): unknown;
}

function resource<Inputs, Outputs>(
  name: string,
  reconciler: Reconciler<Inputs, Outputs>,
  inputs: (declared: Declared, isRecorded: (name: string) => boolean) => Inputs,
): ProgramResource {
  return { name, reconciler: reconciler as Reconciler<unknown, unknown>, inputs };
}

function contextOf({ stackUid }: Declared) {
  return { emulator: true, stackUid, project: spec.PROJECT };
}

/** A resource of Google's own provider, by the plugin that stands in for it. */
function gcpResource(type: ResourceType): Reconciler<Properties, Properties> {
  const provider = (): gcp.Provider => {
    const connection = readConnection();
    const rest = connection.kind === "emulator" ? connection.rest : "";
    const config = resolveConfig(
      {
        project: spec.PROJECT,
        storageCustomEndpoint: `${rest}/storage/v1/`,
        vertexAiCustomEndpoint: `${rest}/v1/`,
      },
      {},
    );
    return { config, rest: new GoogleRest(config) };
  };
  const checked = (declared: Properties) => gcp.checkInputs(type, provider(), declared).inputs;
  return {
    create: async (declared) => {
      const { id, outputs } = await gcp.create(type, provider(), checked(declared));
      return { id, outs: outputs };
    },
    read: async (id, recorded) => {
      const found = await gcp.read(type, provider(), id, recorded, recorded);
      return found === undefined ? { id: "" } : { id, props: found.outputs };
    },
    diff: (_id, recorded, wanted) => {
      const { changed, replaces } = gcp.diff(type, provider(), checked(wanted), recorded, []);
      return {
        changes: changed.size > 0,
        replaces: [...replaces],
        deleteBeforeReplace: true,
      };
    },
    update: async (id, recorded, wanted) => ({
      outs: await gcp.update(type, provider(), id, checked(wanted), recorded, []),
    }),
    remove: (id, recorded) => gcp.remove(type, provider(), id, recorded),
  };
}

const BUCKET_PART: readonly ProgramResource[] = [
  resource<ClaimInputs, ClaimInputs>("bucket claim", claim, (declared, isRecorded) => ({
    ...contextOf(declared),
    kind: "bucket",
    bucket: spec.BUCKET,
    recorded: isRecorded("bucket"),
  })),
  resource("bucket", gcpResource(BUCKET_TYPE), ({ settings, stackUid }) => ({
    name: spec.BUCKET,
    project: spec.PROJECT,
    location: spec.LOCATION.toUpperCase(),
    uniformBucketLevelAccess: true,
    publicAccessPrevention: "enforced",
    labels: withMarks({ team: settings.team }, stackUid),
    forceDestroy: false,
  })),
];

const MODEL_PART: readonly ProgramResource[] = [
  resource<ClaimInputs, ClaimInputs>("archives claim", claim, (declared) => ({
    ...contextOf(declared),
    kind: "archives",
    bucket: spec.BUCKET,
    digest: declared.digest,
    usedBy: spec.MODEL,
  })),
  resource("archive", upload, (declared) => ({
    ...contextOf(declared),
    bucket: spec.BUCKET,
    digest: declared.digest,
    planPath: `${declared.digest}.json`,
    progressUrn: "",
  })),
  resource<ClaimInputs, ClaimInputs>("model claim", claim, (declared) => ({
    ...contextOf(declared),
    kind: "model",
    modelName: spec.MODEL,
    deleteTimeoutSeconds: declared.timeoutSeconds,
  })),
  resource("model", model, (declared) => ({
    ...contextOf(declared),
    location: spec.LOCATION,
    modelId: spec.MODEL_ID,
    modelName: spec.MODEL,
    displayName: spec.MODEL_ID,
    description: declared.settings.description,
    labels: { team: declared.settings.team },
    adopted: false,
    artifactUri: `gs://${spec.BUCKET}/archives/${declared.digest}`,
    servingSpec: spec.SERVING_SPEC,
    versionAlias: spec.aliasOf(declared.digest),
    uploadTimeoutSeconds: declared.timeoutSeconds,
    deleteTimeoutSeconds: declared.timeoutSeconds,
    progressUrn: "",
  })),
];

const ENDPOINT_PART: readonly ProgramResource[] = [
  resource<ClaimInputs, ClaimInputs>("endpoint claim", claim, (declared, isRecorded) => ({
    ...contextOf(declared),
    kind: "endpoint",
    endpoint: spec.ENDPOINT,
    recorded: isRecorded("endpoint"),
    undeployTimeoutSeconds: declared.timeoutSeconds,
    deleteTimeoutSeconds: declared.timeoutSeconds,
  })),
  resource("endpoint", gcpResource(AI_ENDPOINT), ({ settings, stackUid }) => ({
    name: spec.ENDPOINT_ID,
    displayName: spec.MODEL_ID,
    description: "Of the programs.",
    project: spec.PROJECT,
    location: spec.LOCATION,
    region: spec.LOCATION,
    labels: withMarks({ team: settings.team }, stackUid),
    dedicatedEndpointEnabled: false,
  })),
];

const DEPLOYMENT_PART: readonly ProgramResource[] = [
  resource<ClaimInputs, ClaimInputs>("deployment claim", claim, (declared) => ({
    ...contextOf(declared),
    kind: "deployment",
    endpoint: spec.ENDPOINT,
    undeployTimeoutSeconds: declared.timeoutSeconds,
  })),
  resource("deployment", deployment, (declared) => {
    const { machine, minReplicas, maxReplicas, keepVersions, rollout } = declared.settings;
    return {
      ...contextOf(declared),
      endpoint: spec.ENDPOINT,
      modelName: spec.MODEL,
      versionAlias: spec.aliasOf(declared.digest),
      declaredAlias: spec.aliasOf(declared.digest),
      machineType: machine,
      acceleratorType: spec.MACHINES[machine],
      acceleratorCount: 1,
      minReplicas,
      maxReplicas,
      autoscaling: [],
      spot: false,
      serviceAccount: null,
      rollout,
      canarySteps: [50, 100],
      canaryBakeSeconds: 0,
      canaryMinSamples: 1,
      // Nobody here is slow: a busy machine only seems so.
      maxLatencyRatio: 10_000,
      canaryPercent: null,
      retryRollout: false,
      keepVersions,
      bucket: spec.BUCKET,
      deployTimeoutSeconds: declared.timeoutSeconds,
      undeployTimeoutSeconds: declared.timeoutSeconds,
      deleteTimeoutSeconds: declared.timeoutSeconds,
      progressUrn: "",
    };
  }),
];

/**
 * The resources in an order in which the real engine may reach them. Between the bucket and the deployment the model's and
 * the endpoint's go side by side there; here either goes first.
 */
export function resourcesInOrder(endpointFirst: boolean): readonly ProgramResource[] {
  const middle = endpointFirst ? [ENDPOINT_PART, MODEL_PART] : [MODEL_PART, ENDPOINT_PART];
  return [BUCKET_PART, ...middle, DEPLOYMENT_PART].flat();
}
