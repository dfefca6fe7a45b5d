import { isRecord } from "../resource-type.ts";

type Document = Record<string, unknown>;

/** A member of AiEndpoint's deployedModels: nested objects are lists of one, as Terraform's schema makes them. */
export function toDeployedModelOutput(model: Document): Document {
  return {
    id: model.id ?? "",
    model: model.model ?? "",
    modelVersionId: model.modelVersionId ?? "",
    displayName: model.displayName ?? "",
    createTime: model.createTime ?? "",
    serviceAccount: model.serviceAccount ?? "",
    sharedResources: model.sharedResources ?? "",
    enableAccessLogging: model.enableAccessLogging === true,
    enableContainerLogging: model.enableContainerLogging === true,
    dedicatedResources: listOfOne(model.dedicatedResources, (resources) => ({
      minReplicaCount: resources.minReplicaCount ?? 0,
      maxReplicaCount: resources.maxReplicaCount ?? 0,
      machineSpecs: listOfOne(resources.machineSpec, (spec) => ({
        machineType: spec.machineType ?? "",
        acceleratorType: spec.acceleratorType ?? "",
        acceleratorCount: spec.acceleratorCount ?? 0,
      })),
      autoscalingMetricSpecs: Array.isArray(resources.autoscalingMetricSpecs)
        ? resources.autoscalingMetricSpecs.filter(isRecord).map(({ metricName, target }) => ({
            metricName: metricName ?? "",
            target: target ?? 0,
          }))
        : [],
    })),
    automaticResources: listOfOne(model.automaticResources, (resources) => ({
      minReplicaCount: resources.minReplicaCount ?? 0,
      maxReplicaCount: resources.maxReplicaCount ?? 0,
    })),
    privateEndpoints: listOfOne(model.privateEndpoints, (endpoints) => ({
      predictHttpUri: endpoints.predictHttpUri ?? "",
      explainHttpUri: endpoints.explainHttpUri ?? "",
      healthHttpUri: endpoints.healthHttpUri ?? "",
      serviceAttachment: endpoints.serviceAttachment ?? "",
    })),
  };
}

function listOfOne(value: unknown, toMember: (value: Document) => Document): Document[] {
  return isRecord(value) ? [toMember(value)] : [];
}
