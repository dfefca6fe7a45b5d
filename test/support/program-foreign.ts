import { makeBucket, putObject } from "./bucket.ts";
import type { SeenCloud } from "./program-observation.ts";
import { PARENT } from "./program-settings.ts";
import { restOperation } from "./vertex-rest.ts";

const FOREIGN_BUCKET = "foreign-bucket";
export const FOREIGN_MODEL = `${PARENT}/models/foreign`;
const FOREIGN_ENDPOINT = `${PARENT}/endpoints/200000000`;

/** Lays out what is somebody else's: a bucket, a model and an endpoint that no run may touch. */
export async function layOutForeignThings(url: string): Promise<void> {
  await makeBucket(url, FOREIGN_BUCKET);
  await putObject(url, FOREIGN_BUCKET, "archive/model.mar", "an archive");
  await restOperation(url, "POST", `/v1/${PARENT}/models:upload`, {
    modelId: "foreign",
    model: {
      displayName: "foreign",
      artifactUri: `gs://${FOREIGN_BUCKET}/archive`,
      containerSpec: { imageUri: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-cpu.2-4:latest" },
    },
  });
  const id = FOREIGN_ENDPOINT.replace(/^.*\//, "");
  await restOperation(url, "POST", `/v1/${PARENT}/endpoints?endpointId=${id}`, {
    displayName: "foreign",
  });
}

/** All of it, as text: it stays the same. */
export function foreignThings({ all }: SeenCloud): string {
  const isForeign = ({ name }: { readonly name: string }) =>
    name === FOREIGN_BUCKET || /\/(models\/foreign|endpoints\/200000000)$/.test(name);
  return JSON.stringify([
    ...all.buckets.filter(isForeign),
    ...all.models.filter(isForeign),
    ...all.endpoints.filter(isForeign),
  ]);
}
