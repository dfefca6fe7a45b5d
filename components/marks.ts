import type * as pulumi from "@pulumi/pulumi";

import type { StackContext } from "./stack-context.ts";

/** The user's labels with this stack's marks, for resources of Google's own provider. */
export function markedLabels(stack: StackContext): Record<string, pulumi.Input<string>> {
  return {
    ...stack.labels,
    "managed-by": "vertex-diffusion",
    "vertex-diffusion-stack": stack.stackUid,
  };
}
