import { describe, expect, it } from "@jest/globals";

import { toUploadRequest } from "../../../providers/model.ts";
import { STACK_UID, modelInputs } from "../../support/provider-inputs.ts";

const MARKED = {
  team: "art",
  "managed-by": "vertex-diffusion",
  "vertex-diffusion-stack": STACK_UID,
};

describe("toUploadRequest", () => {
  it("makes a new model with the chosen id", () => {
    const request = toUploadRequest(modelInputs(), null);

    expect(request).toStrictEqual({
      parent: "projects/local-project/locations/us-central1",
      modelId: "diffusion-test",
      model: {
        displayName: "diffusion-test",
        description: "Stable Diffusion of stack test.",
        labels: MARKED,
        versionAliases: ["sha-000000000001"],
        artifactUri: "gs://test-bucket/archives/one",
        containerSpec: {
          imageUri: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
          ports: [],
          env: [],
        },
      },
    });
  });

  it("makes a new version of a model that exists, without id and labels of its own", () => {
    const inputs = modelInputs();

    const request = toUploadRequest(inputs, inputs.modelName);

    expect(request).toHaveProperty(
      "parentModel",
      "projects/local-project/locations/us-central1/models/diffusion-test",
    );
    expect(request).not.toHaveProperty("modelId");
    expect(request.model).not.toHaveProperty("labels");
  });

  it("gives routes, port and variables of a container that needs them", () => {
    const servingSpec = {
      image: "us-docker.pkg.dev/my-project/images/sd@sha256:00",
      predictRoute: "/predict",
      healthRoute: "/health",
      ports: [9090],
      env: { STEPS: "20" },
    };

    const request = toUploadRequest(modelInputs({ servingSpec }), null);

    expect(request.model.containerSpec).toStrictEqual({
      imageUri: "us-docker.pkg.dev/my-project/images/sd@sha256:00",
      predictRoute: "/predict",
      healthRoute: "/health",
      ports: [{ containerPort: 9090 }],
      env: [{ name: "STEPS", value: "20" }],
    });
  });
});
