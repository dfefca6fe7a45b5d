import type { Cloud, Method, MethodCall } from "./cloud.ts";
import * as deployments from "./deployments.ts";
import * as endpointService from "./endpoint-service.ts";
import * as modelService from "./model-service.ts";
import * as operationService from "./operation-service.ts";
import * as predictions from "./predictions.ts";
import type { Document } from "./types.ts";

/** "ModelService.UploadModel" -> what does it, for gRPC and REST, v1 and v1beta1 alike. */
export type MethodTable = Readonly<Record<string, Method>>;

/** Every implemented method. What is not here answers UNIMPLEMENTED. */
export function createMethods(cloud: Cloud): MethodTable {
  /** The frame has checked the request against its descriptor, so its fields have the types that T names. */
  const bind =
    <T>(method: (cloud: Cloud, request: T, call: MethodCall) => Promise<Document>): Method =>
    (request, call) =>
      method(cloud, request as T, call);
  return {
    "ModelService.UploadModel": bind(modelService.uploadModel),
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
    "EndpointService.DeleteEndpoint": bind(endpointService.deleteEndpoint),
    "EndpointService.DeployModel": bind(deployments.deployModel),
    "EndpointService.UndeployModel": bind(deployments.undeployModel),
    "EndpointService.MutateDeployedModel": bind(deployments.mutateDeployedModel),
    "PredictionService.Predict": bind(predictions.predict),
    "PredictionService.RawPredict": bind(predictions.rawPredict),
    "Operations.GetOperation": bind(operationService.getOperation),
    "Operations.ListOperations": bind(operationService.listOperations),
    "Operations.WaitOperation": bind(operationService.waitOperation),
    "Operations.CancelOperation": bind(operationService.cancelOperation),
    "Operations.DeleteOperation": bind(operationService.deleteOperation),
  };
}
