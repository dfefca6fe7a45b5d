import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";

import { markedLabels } from "./marks.ts";
import { Claim } from "./resources/claim.ts";
import type { StackContext } from "./stack-context.ts";

export interface ModelBucketArgs {
  readonly stack: StackContext;
  /** Globally unique: 3 to 63 of [a-z0-9._-]. */
  readonly bucketName: string;
  /** Cloud KMS key that encrypts new objects; null: Google's own. */
  readonly kmsKey: string | null;
  /** Whether destroy deletes objects that this stack did not put there. Keep it off where others store things too. */
  readonly forceDestroy: boolean;
  /** Whether its deletion is refused. */
  readonly protect: boolean;
}

/**
 * The private bucket that holds the stack's model archives. Stored bytes are billed.
 *
 * What else Google's provider serves waits for it: the first such resource makes the engine take over a changed `gcp:`
 * configuration, which cuts off what the provider is deleting just then ("grpc: the client connection is closing").
 */
export class ModelBucket extends pulumi.ComponentResource {
  readonly bucketName: pulumi.Output<string>;

  constructor(name: string, args: ModelBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    super("vertex-diffusion:index:ModelBucket", name, {}, opts);
    const { emulator, stackUid, project, recorded } = args.stack;
    const claim = new Claim(
      `${name}-claim`,
      { emulator, stackUid, project },
      {
        kind: "bucket",
        bucket: args.bucketName,
        recorded: recorded.has("gcp:storage/bucket:Bucket", name),
      },
      { parent: this },
    );
    const bucket = new gcp.storage.Bucket(
      name,
      {
        name: claim.bucket,
        project,
        // The API answers regions in upper case; any other spelling would look like a change for ever.
        location: args.stack.region.toUpperCase(),
        uniformBucketLevelAccess: true,
        publicAccessPrevention: "enforced",
        labels: markedLabels(args.stack),
        forceDestroy: args.forceDestroy,
        ...(args.kmsKey === null ? {} : { encryption: { defaultKmsKeyName: args.kmsKey } }),
      },
      // Its name is chosen, so the old one must be gone before a new one of that name is made.
      { parent: this, deleteBeforeReplace: true, protect: args.protect },
    );
    this.bucketName = bucket.name;
    this.registerOutputs({ bucketName: this.bucketName });
  }
}
