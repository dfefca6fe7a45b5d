import * as pulumi from "@pulumi/pulumi";

import { checkAdoption } from "./components/adopted-names.ts";
import { ArtifactUpload } from "./components/artifact-upload.ts";
import { billingNotice } from "./components/billing.ts";
import { GpuEndpoint } from "./components/gpu-endpoint.ts";
import { ModelArchive } from "./components/model-archive.ts";
import { ModelBucket } from "./components/model-bucket.ts";
import { modelNameOf } from "./components/names.ts";
import { endOfAvailabilityNotice } from "./components/prebuilt-images.ts";
import { predictUrlOf } from "./components/predict-url.ts";
import { readRecordedState } from "./components/recorded.ts";
import { StackIdentity } from "./components/resources/stack-identity.ts";
import { servingContainer } from "./components/serving-container.ts";
import { readSettings } from "./components/settings.ts";

const settings = readSettings();
const recorded = await readRecordedState();
await checkAdoption(settings, recorded);
const archive = new ModelArchive("archive", settings);
await pulumi.log.info(billingNotice(settings));
const ending = settings.emulator ? null : endOfAvailabilityNotice(settings.image, new Date());
if (ending !== null) await pulumi.log.warn(ending);

const identity = new StackIdentity("identity");
const stack = { ...settings, recorded, stackUid: identity.uid };

const bucket = new ModelBucket("bucket", { ...settings, stack });
const { bucketName } = bucket;
const modelName = modelNameOf(settings);
const artifact = new ArtifactUpload("artifact", { stack, bucketName, archive, modelName });
const container = servingContainer(settings, stack, bucket);
const parts = { archive, artifact, container, bucket };
const serving = new GpuEndpoint("endpoint", { stack, ...parts, settings });

export { bucketName as bucket };
export const artifactUri = artifact.artifactUri;
export const archiveSizeBytes = artifact.sizeBytes;
export const model = serving.model;
export const endpoint = serving.endpoint;
export const deployedModelId = serving.deployedModelId;
export const predictUrl = pulumi
  .all([serving.endpoint, serving.dedicatedEndpointDns])
  .apply(([name, dns]) => predictUrlOf(settings, name, dns));
export const predictCommand = `npm run predict -- "a red circle" --stack ${settings.stack}`;
