import { describe, expect, it } from "@jest/globals";

import {
  bucketNameProblem,
  defaultBucketName,
  endpointIdOf,
  modelIdOf,
} from "../../../components/names.ts";

describe("bucketNameProblem", () => {
  it.each([
    { name: "abc" },
    { name: "my-project-diffusion-dev" },
    { name: "models.example.com" },
    { name: "0_0" },
    { name: "a".repeat(63) },
  ])("takes $name", ({ name }) => {
    expect(bucketNameProblem(name)).toBeUndefined();
  });

  it.each([
    { name: "ab", why: "3 to 63" },
    { name: "a".repeat(64), why: "3 to 63" },
    { name: "Models", why: "3 to 63" },
    { name: "my bucket", why: "3 to 63" },
    { name: "-models", why: "first and last a letter or digit" },
    { name: "models-", why: "first and last a letter or digit" },
    { name: "192.168.5.4", why: "IP address" },
    { name: "my..models", why: "two dots in a row" },
    { name: "goog-models", why: "keeps for itself" },
    { name: "my-google-models", why: "keeps for itself" },
    { name: "", why: "3 to 63" },
  ])('refuses "$name" and says why', ({ name, why }) => {
    const problem = bucketNameProblem(name);

    expect(problem).toContain(why);
    expect(problem).toContain(`"${name}"`);
  });
});

describe("derived names", () => {
  it.each([
    { project: "my-project", stack: "dev", bucket: "my-project-diffusion-dev" },
    { project: "my-project", stack: "Team_A.prod", bucket: "my-project-diffusion-team-a-prod" },
    { project: "example.com:shop", stack: "dev", bucket: "example-com-shop-diffusion-dev" },
  ])(
    "the bucket of stack $stack in $project is one that Google takes",
    ({ project, stack, bucket }) => {
      const name = defaultBucketName(project, stack);

      expect(name).toBe(bucket);
      expect(bucketNameProblem(name)).toBeUndefined();
    },
  );

  it.each([
    { stack: "dev", modelId: "diffusion-dev" },
    { stack: "Team_A.prod", modelId: "diffusion-team-a-prod" },
    { stack: "x".repeat(100), modelId: `diffusion-${"x".repeat(53)}` },
  ])("the model id of a stack is within Vertex AI's rule: $modelId", ({ stack, modelId }) => {
    const id = modelIdOf(stack);

    expect(id).toBe(modelId);
    expect(id).toMatch(/^[a-z_][a-z0-9_-]{0,62}$/);
  });

  it.each([
    { project: "my-project", stack: "dev", id: "616289267" },
    { project: "my-project", stack: "prod", id: "582700971" },
    { project: "other-project", stack: "dev", id: "815698657" },
  ])("the endpoint of stack $stack in $project always has the id $id", ({ project, stack, id }) => {
    expect(endpointIdOf(project, stack)).toBe(id);
  });

  it("an endpoint id has 9 digits and no leading zero for any stack", () => {
    const ids = Array.from({ length: 2000 }, (_, i) => endpointIdOf("my-project", `stack-${i}`));

    expect(ids.filter((id) => !/^[1-9][0-9]{8}$/.test(id))).toEqual([]);
  });
});
