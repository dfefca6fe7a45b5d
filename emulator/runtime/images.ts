import { ApiError } from "../errors.ts";

const PREBUILT =
  /^(?:us|europe|asia)-docker\.pkg\.dev\/vertex-ai\/prediction\/pytorch-(?:cpu|gpu)\.[0-9]+-[0-9]+(?::[a-z0-9._-]+)?$/;

/** Whether the image is one of Google's prebuilt PyTorch containers: here a TorchServe process stands in for it. */
export function isPrebuiltPyTorch(imageUri: string): boolean {
  return PREBUILT.test(imageUri);
}

/** Throws FAILED_PRECONDITION for an image that no process here can stand in for. */
export function checkRunnable(imageUri: string): void {
  if (isPrebuiltPyTorch(imageUri)) return;
  throw new ApiError(
    "FAILED_PRECONDITION",
    `The container image "${imageUri}" could not be started: the emulator runs no foreign images, only its own stand-in for us|europe|asia-docker.pkg.dev/vertex-ai/prediction/pytorch-{cpu|gpu}.X-Y.`,
  );
}
