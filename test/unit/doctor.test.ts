import { describe, expect, it } from "@jest/globals";

import { formatExamination } from "../../scripts/doctor/examine.ts";
import { findInCloud, findInState } from "../../scripts/doctor/findings.ts";
import { namesIn, parseState } from "../../scripts/doctor/stack-state.ts";
import type { StackState } from "../../scripts/doctor/stack-state.ts";
import { ENDPOINT, MODEL, STACK_UID } from "../support/provider-inputs.ts";

const NAMES = {
  emulator: false,
  stackUid: STACK_UID,
  project: "local-project",
  bucket: "test-bucket",
  modelName: MODEL,
  endpoint: ENDPOINT,
};
const NOTHING = {
  bucketOwner: null,
  modelOwner: null,
  endpointOwner: null,
  foreignObjects: [],
  foreignDeployedModels: [],
  operations: [],
};
const EMPTY: StackState = { resources: [], pendingOperations: [] };
const OPERATION = "projects/1/locations/us-central1/operations/7";

function resource(type: string, name: string, outputs: Record<string, unknown> = {}) {
  const urn = `urn:pulumi:test::vertex-diffusion::vertex-diffusion:index:GpuEndpoint$${type}::${name}`;
  return { urn, type, outputs };
}

const CLAIM = resource(
  "pulumi-nodejs:dynamic/vertex-diffusion:Claim",
  "endpoint-deployment-claim",
  {
    kind: "deployment",
    endpoint: ENDPOINT,
  },
);
const deployment = (pending: unknown) =>
  resource("pulumi-nodejs:dynamic/vertex-diffusion:ModelDeployment", "endpoint-deployment", {
    pending,
  });

describe("the doctor, from the engine's state", () => {
  it("finds nothing in a whole one, and nothing in an empty one", () => {
    const whole = { resources: [CLAIM, deployment(null)], pendingOperations: [] };

    expect(findInState(whole, "dev")).toEqual([]);
    expect(findInState(parseState('{"version": 3, "deployment": {}}'), "dev")).toEqual([]);
  });

  it("names the create whose end the engine never saw, and how to clear the note", () => {
    const state = parseState(
      JSON.stringify({
        deployment: { pending_operations: [{ resource: deployment(null), type: "creating" }] },
      }),
    );

    expect(findInState(state, "dev")).toEqual([
      {
        kind: "pending-operation",
        what: 'The engine does not know how creating "endpoint-deployment" (ModelDeployment) ended: that run was killed. The next "up" goes on all the same; the note stays in the state until it is cleared.',
        mend: "npm run pulumi -- refresh --clear-pending-creates --yes --stack dev",
      },
    ]);
  });

  it("names a claim that nothing stands behind", () => {
    const found = findInState({ resources: [CLAIM], pendingOperations: [] }, "dev");

    expect(found.map(({ kind, mend }) => [kind, mend])).toEqual([
      ["lone-claim", "npm run pulumi -- up --stack dev"],
    ]);
    expect(found[0]?.what).toContain(
      '"endpoint-deployment-claim" (Claim) has no deployment behind',
    );
  });

  it("names a resource that was left while its operation ran, once", () => {
    const pending = {
      operation: OPERATION,
      kind: "deployModel",
      startedAt: "2026-01-01T00:00:00Z",
    };
    const state = { resources: [CLAIM, deployment(pending)], pendingOperations: [] };
    const running = { operation: OPERATION, kind: "deployModel", on: ENDPOINT };

    expect(findInState(state, "dev").map(({ kind }) => kind)).toEqual(["unfinished-resource"]);
    expect(
      findInCloud({ ...NOTHING, operations: [running] }, NAMES, state, "dev", undefined),
    ).toEqual([]);
  });
});

describe("the doctor, from the cloud", () => {
  it.each([
    {
      kind: "running-operation",
      seen: { operations: [{ operation: OPERATION, kind: "uploadModel", on: MODEL }] },
      mend: "npm run pulumi -- up --stack dev",
    },
    {
      kind: "foreign-bucket",
      seen: { bucketOwner: "somebody else" },
      mend: "npm run pulumi -- config set bucketName ANOTHER-NAME --stack dev",
    },
    {
      kind: "foreign-model",
      seen: { modelOwner: "stack ffff of vertex-diffusion" },
      mend: "gcloud ai models delete diffusion-test --project local-project --region us-central1",
    },
    {
      kind: "foreign-endpoint",
      seen: { endpointOwner: "stack ffff of vertex-diffusion" },
      mend: "gcloud ai endpoints delete 123456789 --project local-project --region us-central1",
    },
    {
      kind: "foreign-deployed-model",
      seen: { foreignDeployedModels: [{ id: "77", displayName: "mine" }] },
      mend: "gcloud ai endpoints undeploy-model 123456789 --deployed-model-id 77 --project local-project --region us-central1",
    },
    {
      kind: "foreign-object",
      seen: { foreignObjects: ["archives/notes.txt"] },
      mend: 'gcloud storage rm "gs://test-bucket/archives/notes.txt"',
    },
  ])("$kind comes with the command that mends it", ({ kind, seen, mend }) => {
    const found = findInCloud({ ...NOTHING, ...seen }, NAMES, EMPTY, "dev", undefined);

    expect(found.map((one) => [one.kind, one.mend])).toEqual([[kind, mend]]);
  });

  it("gives commands for the local Vertex AI where the stack lives there", () => {
    const seen = { ...NOTHING, foreignDeployedModels: [{ id: "77", displayName: "mine" }] };

    const [found] = findInCloud(seen, NAMES, EMPTY, "local", "http://127.0.0.1:8085");

    expect(found?.mend).toBe(
      `curl -d '{"deployedModelId": "77"}' http://127.0.0.1:8085/v1/${ENDPOINT}:undeployModel`,
    );
  });
});

describe("the doctor's names", () => {
  it("are those of the claims, and before the first up those that the stack would take", () => {
    const wouldTake = { ...NAMES, stackUid: "", endpoint: "projects/p/locations/l/endpoints/1" };

    expect(namesIn(EMPTY, wouldTake)).toEqual(wouldTake);
    expect(namesIn({ resources: [CLAIM], pendingOperations: [] }, wouldTake).endpoint).toBe(
      ENDPOINT,
    );
  });

  it("leaves out what is only to be adopted: it bears no mark yet and is in nobody's way", () => {
    const wouldTake = { ...NAMES, modelName: "models/own", endpoint: "endpoints/own" };
    const adoption = resource(
      "pulumi-nodejs:dynamic/vertex-diffusion:Claim",
      "endpoint-adoption-claim",
      { kind: "adoption", endpoint: ENDPOINT, modelName: MODEL },
    );

    const names = namesIn({ resources: [adoption], pendingOperations: [] }, wouldTake);

    expect([names.modelName, names.endpoint]).toEqual(["models/own", "endpoints/own"]);
  });
});

describe("the doctor's report", () => {
  it("says that nothing is to mend", () => {
    const healthy = { stack: "dev", where: 'in project "p"', resources: 16, findings: [] };

    expect(formatExamination(healthy)).toBe(
      'Stack "dev" in project "p": nothing to mend. 16 resources, no operation in flight, nothing foreign.\n',
    );
  });

  it("puts each command under its finding", () => {
    const findings = [
      { kind: "lone-claim", what: "One thing.", mend: "do one" },
      { kind: "foreign-object", what: "Another.", mend: "do another" },
    ] as const;

    expect(
      formatExamination({ stack: "dev", where: "on the local Vertex AI", resources: 3, findings }),
    ).toBe(`Stack "dev" on the local Vertex AI: 2 findings.

1. One thing.
   do one

2. Another.
   do another

Run what stands under a finding only if you want its effect; then "npm run doctor" again.
`);
  });
});
