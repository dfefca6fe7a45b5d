import { customServer } from "./custom-server.ts";
import { checkRunnable } from "./images.ts";
import type { ImageKind } from "./images.ts";
import type { ServerRuntime } from "./server-runtime.ts";
import { torchServe } from "./torchserve.ts";
import type { TorchServeOptions } from "./torchserve.ts";

/** The stand-in for each image that has one. It throws FAILED_PRECONDITION for the others. */
export function runtimeByImage(options: TorchServeOptions): ServerRuntime {
  const runtimes: Readonly<Record<ImageKind, ServerRuntime>> = {
    prebuilt: torchServe(options),
    custom: customServer(options),
  };
  return (spec, folder) => runtimes[checkRunnable(spec.imageUri)](spec, folder);
}
