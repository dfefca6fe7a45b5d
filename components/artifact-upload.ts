import * as pulumi from "@pulumi/pulumi";

import type { ModelArchive } from "./model-archive.ts";
import { ArchiveUpload } from "./resources/archive-upload.ts";
import { Claim } from "./resources/claim.ts";
import type { StackContext } from "./stack-context.ts";

export interface ArtifactUploadArgs {
  readonly stack: StackContext;
  readonly bucketName: pulumi.Input<string>;
  readonly archive: ModelArchive;
  /** Resource name of the model whose versions name archives. */
  readonly modelName: string;
}

/** The archive in the bucket, in a folder named by its digest: `gs://BUCKET/archives/DIGEST/model.mar`. */
export class ArtifactUpload extends pulumi.ComponentResource {
  /** Folder that Vertex reads the archive from. */
  readonly artifactUri: pulumi.Output<string>;
  /** Size of model.mar in bytes. */
  readonly sizeBytes: pulumi.Output<number>;

  constructor(name: string, args: ArtifactUploadArgs, opts?: pulumi.ComponentResourceOptions) {
    super("vertex-diffusion:index:ArtifactUpload", name, {}, opts);
    const { stack, archive } = args;
    const { emulator, stackUid, project } = stack;
    const bucket = pulumi.output(args.bucketName);
    const claim = new Claim(
      `${name}-claim`,
      { emulator, stackUid, project },
      { kind: "archives", bucket, digest: archive.digest, usedBy: args.modelName },
      { parent: this },
    );
    const upload = new ArchiveUpload(
      name,
      {
        emulator,
        stackUid,
        project,
        bucket: claim.bucket,
        digest: archive.digest,
        planPath: archive.planPath,
      },
      { parent: this },
    );
    this.artifactUri = pulumi.interpolate`gs://${bucket}/archives/${archive.digest}`;
    this.sizeBytes = upload.sizeBytes;
    this.registerOutputs({ artifactUri: this.artifactUri });
  }
}
