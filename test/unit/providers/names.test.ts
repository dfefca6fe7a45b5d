import { describe, expect, it } from "@jest/globals";

import { lastSegment, locationOf, sameResource } from "../../../providers/names.ts";

const MODEL = "projects/my-project/locations/us-central1/models/m";

describe("sameResource", () => {
  it.each([
    { other: MODEL, same: true, case: "itself" },
    {
      other: "projects/123456/locations/us-central1/models/m",
      same: true,
      case: "its name with the project's number",
    },
    { other: `${MODEL}@3`, same: true, case: "one of its versions" },
    {
      other: "projects/my-project/locations/us-central1/models/m2",
      same: false,
      case: "another model",
    },
    {
      other: "projects/my-project/locations/us-west1/models/m",
      same: false,
      case: "the model of another region",
    },
    {
      other: "projects/my-project/locations/us-central1/endpoints/m",
      same: false,
      case: "an endpoint of that id",
    },
    { other: "", same: false, case: "nothing" },
  ])("answers $same for a model and $case", ({ other, same }) => {
    expect(sameResource(MODEL, other)).toBe(same);
    expect(sameResource(other, MODEL)).toBe(same);
  });
});

describe("parts of a resource name", () => {
  it("are its id and its location", () => {
    expect(lastSegment(MODEL)).toBe("m");
    expect(locationOf(MODEL)).toBe("us-central1");
  });

  it("a name without a location is refused by name", () => {
    expect(() => locationOf("models/m")).toThrow('no location in resource name "models/m"');
  });
});
