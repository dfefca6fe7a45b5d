import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Problem } from "./machine-rules.ts";
import { PREBUILT_IMAGE, isPrebuilt } from "./prebuilt-images.ts";
import type { Settings } from "./settings.ts";

/** The image of a kind of container where the stack file names none; "": the stack builds it. */
export function defaultImageOf(container: string): string {
  return container === "custom" ? "" : PREBUILT_IMAGE;
}

/** What is wrong with kind and image of the container. */
export function checkContainer({
  container,
  image,
  handler,
}: Pick<Settings, "container" | "image" | "handler">): Problem[] {
  if (container !== "prebuilt" && container !== "custom") {
    return [
      {
        setting: "container",
        reason: `"${String(container)}" is not a kind of container. Offered: "prebuilt", "custom".`,
      },
    ];
  }
  if (image === "") {
    if (existsSync(join(handler, "Dockerfile"))) return [];
    return [
      {
        setting: "handler",
        reason: `the folder "${handler}" has no Dockerfile to build the custom container of. Copy handler/Dockerfile and handler/container there, or name an image.`,
      },
    ];
  }
  if (!/^[\w.-]+\/.+/.test(image)) {
    return [
      {
        setting: "image",
        reason: `"${image}" is not an image path. Example: "${PREBUILT_IMAGE}".`,
      },
    ];
  }
  if (container === "custom" && isPrebuilt(image)) {
    return [
      {
        setting: "image",
        reason: `"${image}" is one of Google's prebuilt images. Set container to "prebuilt", or take image out to have the custom one built.`,
      },
    ];
  }
  if (container === "custom" && !/@sha256:[0-9a-f]{64}$/.test(image)) {
    return [
      {
        setting: "image",
        reason: `"${image}" can come to mean another image. Name it by its digest: "...@sha256:<64 hex digits>".`,
      },
    ];
  }
  return [];
}
