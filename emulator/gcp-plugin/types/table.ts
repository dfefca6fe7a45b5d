import type { ResourceType } from "../resource-type.ts";
import { AI_ENDPOINT } from "./ai-endpoint.ts";
import { BUCKET } from "./bucket.ts";

/** The gcp resource types that the local plugin serves, by type token. */
export const RESOURCE_TYPES: ReadonlyMap<string, ResourceType> = new Map(
  [BUCKET, AI_ENDPOINT].map((type) => [type.token, type]),
);
