import { ApiError } from "../errors.ts";

/** What an image is to the emulator: one of Google's prebuilt PyTorch containers, or this project's own server. */
export type ImageKind = "prebuilt" | "custom";

/** The name under which this project's container is pushed, whatever registry and folders stand before it. */
const CUSTOM_NAME = "vertex-diffusion";

const PREBUILT =
  /^(?:us|europe|asia)-docker\.pkg\.dev\/vertex-ai\/prediction\/pytorch-(?:cpu|gpu)\.[0-9]+-[0-9]+(?::[a-z0-9._-]+)?$/;
/** REGISTRY/FOLDERS/NAME, then a tag, a digest, both or none. */
const CUSTOM = new RegExp(
  String.raw`^(?:[^/\s@]+/)+${CUSTOM_NAME}(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
);

/** The kind of an image that a process here can stand in for; undefined for any other. */
export function kindOfImage(imageUri: string): ImageKind | undefined {
  if (PREBUILT.test(imageUri)) return "prebuilt";
  if (CUSTOM.test(imageUri)) return "custom";
  return undefined;
}

/** The kind of an image. Throws FAILED_PRECONDITION for one that no process here can stand in for. */
export function checkRunnable(imageUri: string): ImageKind {
  const kind = kindOfImage(imageUri);
  if (kind !== undefined) return kind;
  throw new ApiError(
    "FAILED_PRECONDITION",
    `The container image "${imageUri}" could not be started: the emulator runs no foreign images, only its own stand-ins for us|europe|asia-docker.pkg.dev/vertex-ai/prediction/pytorch-{cpu|gpu}.X-Y and for this project's own REGISTRY/.../${CUSTOM_NAME}.`,
  );
}
