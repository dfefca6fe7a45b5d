import * as pulumi from "@pulumi/pulumi";

import { checkAdoption } from "./components/adopted-names.ts";
import { ArtifactUpload } from "./components/artifact-upload.ts";
import { billingNotice } from "./components/billing.ts";
import { GpuEndpoint } from "./components/gpu-endpoint.ts";
import { ModelArchive } from "./components/model-archive.ts";
import { ModelBucket } from "./components/model-bucket.ts";
import { modelNameOf } from "./components/names.ts";
import { predictUrlOf } from "./components/predict-url.ts";
import { readRecordedState } from "./components/recorded.ts";
import { StackIdentity } from "./components/resources/stack-identity.ts";
import { readSettings } from "./components/settings.ts";

const settings = readSettings();
const recorded = await readRecordedState();
await checkAdoption(settings, recorded);
const archive = new ModelArchive("archive", settings);
await pulumi.log.info(billingNotice(settings));

const identity = new StackIdentity("identity");
const stack = { ...settings, recorded, stackUid: identity.uid };

const bucket = new ModelBucket("bucket", { ...settings, stack });
const { bucketName } = bucket;
const modelName = modelNameOf(settings);
const artifact = new ArtifactUpload("artifact", { stack, bucketName, archive, modelName });
const serving = new GpuEndpoint("endpoint", { stack, archive, artifact, bucketName, settings });

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
