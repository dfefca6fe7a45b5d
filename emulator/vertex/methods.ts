import type { Cloud, Method, MethodCall, StreamingMethod } from "./cloud.ts";
import { deployModel } from "./deploy-model.ts";
import * as endpointService from "./endpoint-service.ts";
import * as modelService from "./model-service.ts";
import { mutateDeployedModel } from "./mutate-deployed-model.ts";
import * as operationService from "./operation-service.ts";
import * as predictions from "./predictions.ts";
import type { Document } from "./types.ts";
import { undeployModel } from "./undeploy-model.ts";
import { uploadModel } from "./upload-model.ts";

/** "ModelService.UploadModel" -> what does it, for gRPC and REST, v1 and v1beta1 alike. */
export interface MethodTable {
  readonly unary: Readonly<Record<string, Method>>;
  readonly streaming: Readonly<Record<string, StreamingMethod>>;
}

/** Every implemented method. What is not here answers UNIMPLEMENTED. */
export function createMethods(cloud: Cloud): MethodTable {
  /** The frame has checked the request against its descriptor, so its fields have the types that T names. */
  const bind =
    <T>(method: (cloud: Cloud, request: T, call: MethodCall) => Promise<Document>): Method =>
    (request, call) =>
      method(cloud, request as T, call);
  const unary = {
    "ModelService.UploadModel": bind(uploadModel),
    "ModelService.GetModel": bind(modelService.getModelMethod),
    "ModelService.ListModels": bind(modelService.listModels),
    "ModelService.ListModelVersions": bind(modelService.listModelVersions),
    "ModelService.UpdateModel": bind(modelService.updateModel),
    "ModelService.MergeVersionAliases": bind(modelService.mergeVersionAliases),
    "ModelService.DeleteModel": bind(modelService.deleteModel),
    "ModelService.DeleteModelVersion": bind(modelService.deleteModelVersion),
    "EndpointService.CreateEndpoint": bind(endpointService.createEndpoint),
    "EndpointService.GetEndpoint": bind(endpointService.getEndpointMethod),
    "EndpointService.ListEndpoints": bind(endpointService.listEndpoints),
    "EndpointService.UpdateEndpoint": bind(endpointService.updateEndpoint),
    "EndpointService.UpdateEndpointLongRunning": bind(endpointService.updateEndpointLongRunning),
    "EndpointService.DeleteEndpoint": bind(endpointService.deleteEndpoint),
    "EndpointService.DeployModel": bind(deployModel),
    "EndpointService.UndeployModel": bind(undeployModel),
    "EndpointService.MutateDeployedModel": bind(mutateDeployedModel),
    "PredictionService.Predict": bind(predictions.predict),
    "PredictionService.RawPredict": bind(predictions.rawPredict),
    "Operations.GetOperation": bind(operationService.getOperation),
    "Operations.ListOperations": bind(operationService.listOperations),
    "Operations.WaitOperation": bind(operationService.waitOperation),
    "Operations.CancelOperation": bind(operationService.cancelOperation),
    "Operations.DeleteOperation": bind(operationService.deleteOperation),
  };
  const streaming: Record<string, StreamingMethod> = {
    "PredictionService.StreamRawPredict": (request, call) =>
      predictions.streamRawPredict(cloud, request, call),
  };
  return { unary, streaming };
}
