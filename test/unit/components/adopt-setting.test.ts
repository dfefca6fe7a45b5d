import { describe, expect, it } from "@jest/globals";

import { readAdopt } from "../../../components/adopt-setting.ts";
import type { Problem } from "../../../components/machine-rules.ts";

const PLACE = { project: "my-project", region: "us-central1" };

function read(text: string | undefined) {
  const problems: Problem[] = [];
  const adopt = readAdopt(text, PLACE, problems);
  return { adopt, reasons: problems.map(({ setting, reason }) => `${setting}: ${reason}`) };
}

describe("the setting adopt", () => {
  it.each([{ text: undefined }, { text: "" }, { text: "{}" }])(
    "is nothing to adopt when it is $text",
    ({ text }) => {
      expect(read(text)).toEqual({ adopt: null, reasons: [] });
    },
  );

  it.each([
    {
      as: "ids in quotes",
      text: '{"endpoint":"1234567890123456789","model":"9223372036854775807","version":"3"}',
    },
    {
      as: "ids without quotes, of more digits than a JavaScript number holds",
      text: '{"endpoint":1234567890123456789,"model": 9223372036854775807 ,"version":3}',
    },
    {
      as: "resource names with the project's id or its number",
      text: JSON.stringify({
        endpoint: "projects/my-project/locations/us-central1/endpoints/1234567890123456789",
        model: "projects/174186969177/locations/us-central1/models/9223372036854775807",
        version: 3,
      }),
    },
  ])("is read from $as", ({ text }) => {
    expect(read(text)).toEqual({
      adopt: { endpoint: "1234567890123456789", model: "9223372036854775807", version: "3" },
      reasons: [],
    });
  });

  it.each([
    {
      case: "a missing part",
      text: '{"endpoint":"1"}',
      reason: "model and version are missing. Set endpoint, model and version, all three.",
    },
    {
      case: "a part that there is not",
      text: '{"endpoint":"1","model":"m","version":1,"bucket":"b"}',
      reason: "bucket is nothing that can be adopted. Set endpoint, model and version, all three.",
    },
    {
      case: "an alias for a version",
      text: '{"endpoint":"1","model":"m","version":"default"}',
      reason: '"default" is not a version number. Set the number that the model registry shows.',
    },
    {
      case: "a display name",
      text: '{"endpoint":"My endpoint","model":"m","version":1}',
      reason:
        '"My endpoint" is no endpoint. Set its id, or its resource name "projects/my-project/locations/us-central1/endpoints/ID".',
    },
    {
      case: "a model with its version",
      text: '{"endpoint":"1","model":"m@2","version":2}',
      reason:
        '"m@2" is no model. Set its id, or its resource name "projects/my-project/locations/us-central1/models/ID".',
    },
    {
      case: "an endpoint in place of a model",
      text: '{"endpoint":"1","model":"projects/my-project/locations/us-central1/endpoints/1","version":2}',
      reason:
        '"projects/my-project/locations/us-central1/endpoints/1" is no model. Set its id, or its resource name "projects/my-project/locations/us-central1/models/ID".',
    },
    {
      case: "another project",
      text: '{"endpoint":"projects/theirs/locations/us-central1/endpoints/1","model":"m","version":2}',
      reason:
        '"projects/theirs/locations/us-central1/endpoints/1" is in project "theirs", and this stack in "my-project". Set gcp:project.',
    },
    {
      case: "another region",
      text: '{"endpoint":"1","model":"projects/my-project/locations/us-east1/models/m","version":2}',
      reason:
        '"projects/my-project/locations/us-east1/models/m" is in "us-east1", and this stack in "us-central1". Set gcp:region.',
    },
  ])("refuses $case", ({ text, reason }) => {
    expect(read(text).reasons).toEqual([`adopt: ${reason}`]);
  });
});
