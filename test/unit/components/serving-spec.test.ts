import { describe, expect, it } from "@jest/globals";

import { versionAliasOf } from "../../../components/serving-spec.ts";
import type { ServingSpec } from "../../../providers/serving-spec.ts";

const DIGEST = "ab".repeat(32);

const SPEC: ServingSpec = {
  image: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
  predictRoute: null,
  healthRoute: null,
  ports: [],
  env: { STEPS: "20", GUIDANCE: "7.5" },
};

describe("versionAliasOf", () => {
  it("gives the same content the same alias for ever, as one that Vertex AI takes", () => {
    const alias = versionAliasOf(DIGEST, SPEC);

    expect(alias).toBe("sha-34c1c6ae9595");
    expect(alias).toMatch(/^sha-[0-9a-f]{12}$/);
  });

  it.each<{ field: string; spec: ServingSpec; digest: string }>([
    { field: "archive", spec: SPEC, digest: "cd".repeat(32) },
    { field: "image", spec: { ...SPEC, image: `${SPEC.image}-2` }, digest: DIGEST },
    { field: "predict route", spec: { ...SPEC, predictRoute: "/predict" }, digest: DIGEST },
    { field: "health route", spec: { ...SPEC, healthRoute: "/health" }, digest: DIGEST },
    { field: "ports", spec: { ...SPEC, ports: [9090] }, digest: DIGEST },
    {
      field: "value of a variable",
      spec: { ...SPEC, env: { ...SPEC.env, STEPS: "30" } },
      digest: DIGEST,
    },
    { field: "set of variables", spec: { ...SPEC, env: { STEPS: "20" } }, digest: DIGEST },
  ])("changes with another $field", ({ spec, digest }) => {
    expect(versionAliasOf(digest, spec)).not.toBe(versionAliasOf(DIGEST, SPEC));
  });

  it("tells a route for predictions from the same route for health checks", () => {
    const predict = versionAliasOf(DIGEST, { ...SPEC, predictRoute: "/x" });
    const health = versionAliasOf(DIGEST, { ...SPEC, healthRoute: "/x" });

    expect(predict).not.toBe(health);
  });

  it("does not depend on the order in which variables are written", () => {
    const reordered = { ...SPEC, env: { GUIDANCE: "7.5", STEPS: "20" } };

    expect(versionAliasOf(DIGEST, reordered)).toBe(versionAliasOf(DIGEST, SPEC));
  });
});
