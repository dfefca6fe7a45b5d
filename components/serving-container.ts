import type * as pulumi from "@pulumi/pulumi";

import type { ServingSpec } from "@vertex-diffusion/providers/serving-spec";

import { ContainerImage, localImageUri } from "./container-image.ts";
import type { ModelBucket } from "./model-bucket.ts";
import { servingIdsOf } from "./names.ts";
import type { Settings } from "./settings.ts";
import type { StackContext } from "./stack-context.ts";

/** What the model runs in. */
export interface ServingContainer {
  readonly spec: ServingSpec;
  /** What has to be there before a model version can name the image. */
  readonly after: readonly pulumi.Resource[];
}

/** Where the custom container answers, whatever Vertex would choose (handler/container). */
const CUSTOM = { predictRoute: "/predict", healthRoute: "/health", ports: [8080] } as const;

/** A prebuilt image brings its own routes and port. */
const PREBUILT = { predictRoute: null, healthRoute: null, ports: [] } as const;

/** The container that the settings declare; one that the stack builds itself is declared with it, after the bucket. */
export function servingContainer(
  settings: Settings,
  stack: StackContext,
  bucket: ModelBucket,
): ServingContainer {
  const { container, image, env, handler, protect } = settings;
  if (container === "prebuilt") return { spec: { image, ...PREBUILT, env }, after: [] };
  const spec = { ...CUSTOM, ports: [...CUSTOM.ports], env };
  if (image !== "") return { spec: { image, ...spec }, after: [] };
  const repositoryId = servingIdsOf(settings).modelId;
  if (stack.emulator) {
    const { project, region } = stack;
    const uri = localImageUri({ project, region, repositoryId }, handler);
    return { spec: { image: uri, ...spec }, after: [] };
  }
  const names = { handler, repositoryId };
  const built = new ContainerImage("image", { stack, ...names, protect, after: bucket });
  return { spec: { image: built.uri, ...spec }, after: [built] };
}
