import { createHash } from "node:crypto";
import { join } from "node:path";

import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";

import { FILE_HASHES } from "./archive-plan.ts";
import { FileHashes } from "./file-hashes.ts";
import { markedLabels } from "./marks.ts";
import { hashFile, listFolder } from "./source-folder.ts";
import type { StackContext } from "./stack-context.ts";

/** Last part of the image's name; the local Vertex AI knows by it that it has a process for it. */
const IMAGE_NAME = "vertex-diffusion";

/** What lies in a handler's folder and in no image. */
const LEFT_OUT = new Set([
  ...["tests", "__pycache__", "demo-model", "pyproject.toml", "requirements.in", "README.md"],
  ...["packages.lock", "model-config.yaml"],
]);

export interface ContainerImageArgs {
  readonly stack: StackContext;
  /** Folder with the Dockerfile and what it copies. */
  readonly handler: string;
  /** Names the repository, as it names the model. */
  readonly repositoryId: string;
  readonly protect: boolean;
  /** What is there before the repository. */
  readonly after: pulumi.Resource;
}

/**
 * The custom container's image, built from the handler's folder and pushed to an Artifact Registry repository of the stack's
 * own in the model's region. Stored bytes are billed. Docker builds and pushes it with its own credentials
 * (gcloud auth configure-docker REGION-docker.pkg.dev); none of them come into the state.
 */
export class ContainerImage extends pulumi.ComponentResource {
  /** Known before it is built: its tag follows from the files, and the repository lets no tag be moved. */
  readonly uri: string;

  constructor(name: string, args: ContainerImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("vertex-diffusion:index:ContainerImage", name, {}, opts);
    const { stack, handler, repositoryId, protect, after } = args;
    const { project, region } = stack;
    this.uri = imageUri({ project, region, repositoryId }, contentTagOf(process.cwd(), handler));
    const repository = new gcp.artifactregistry.Repository(
      name,
      {
        project,
        location: region,
        repositoryId,
        format: "DOCKER",
        description: `Serving image of stack ${pulumi.getStack()}, managed by vertex-diffusion.`,
        labels: markedLabels(stack),
        dockerConfig: { immutableTags: true },
      },
      { parent: this, protect, dependsOn: after },
    );
    new DockerImage(
      name,
      {
        context: { location: handler },
        dockerfile: { location: join(handler, "Dockerfile") },
        platforms: ["linux/amd64"],
        push: true,
        tags: [this.uri],
      },
      { parent: this, dependsOn: repository },
    );
    this.registerOutputs({ uri: this.uri });
  }
}

interface DockerImageInputs {
  /** Folder that the build reads. */
  readonly context: { readonly location: string };
  readonly dockerfile: { readonly location: string };
  readonly platforms: readonly string[];
  readonly push: boolean;
  /** Where it is pushed. */
  readonly tags: readonly string[];
}

/**
 * docker-build's Image (github.com/pulumi/pulumi-docker-build, schema of 0.0.22), by its type alone: the install script of
 * its npm package fetches the plugin, also for those who build nothing.
 */
class DockerImage extends pulumi.CustomResource {
  constructor(name: string, inputs: DockerImageInputs, opts: pulumi.CustomResourceOptions) {
    super("docker-build:index:Image", name, { ...inputs }, { ...opts, version: "0.0.22" });
  }
}

/** URI of the image that the local Vertex AI runs as a process: nothing is built or pushed. */
export function localImageUri(place: ImagePlace, handler: string): string {
  return imageUri(place, contentTagOf(process.cwd(), handler));
}

interface ImagePlace {
  readonly project: string;
  readonly region: string;
  readonly repositoryId: string;
}

function imageUri({ project, region, repositoryId }: ImagePlace, tag: string): string {
  return `${region}-docker.pkg.dev/${project}/${repositoryId}/${IMAGE_NAME}:${tag}`;
}

/**
 * A tag that follows from the paths and bytes of what the image is built of: `src-` and 16 hex digits. Base image and packages are
 * pinned by hashes in these files. Throws ArchiveSourceError for a folder or file that can't be read.
 */
export function contentTagOf(root: string, handler: string): string {
  const hashes = new FileHashes(join(root, FILE_HASHES));
  const request = { setting: "handler", root, folder: handler, leftOut: LEFT_OUT } as const;
  const digest = createHash("sha256");
  for (const file of listFolder(request)) {
    const { size, sha256 } = hashFile("handler", root, file, hashes);
    digest.update(JSON.stringify([file.path, size, sha256]));
  }
  return `src-${digest.digest("hex").slice(0, 16)}`;
}
