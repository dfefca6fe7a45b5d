import { describe, expect, it } from "@jest/globals";

import { endOfAvailabilityNotice, isPrebuilt } from "../../../components/prebuilt-images.ts";

const NEWEST = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";
const OLD = "europe-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.1-12:latest";
const OWN = `us-central1-docker.pkg.dev/p/r/vertex-diffusion@sha256:${"0".repeat(64)}`;

describe("isPrebuilt", () => {
  it.each([
    { image: NEWEST, is: true },
    { image: "asia-docker.pkg.dev/vertex-ai/prediction/pytorch-cpu.2-2", is: true },
    { image: OWN, is: false },
    { image: "us-docker.pkg.dev/my-project/prediction/pytorch-gpu.2-4:latest", is: false },
  ])("says $is of $image", ({ image, is }) => {
    expect(isPrebuilt(image)).toBe(is);
  });
});

describe("endOfAvailabilityNotice", () => {
  it.each([
    { case: "while the end is far", image: NEWEST, today: "2026-10-15", says: null },
    {
      case: "from 90 days before",
      image: NEWEST,
      today: "2026-10-16",
      says: /"us-docker.*2-4:latest" ends its availability on 2027-01-14, in 90 days; nothing changes by itself\. .*docs\/serving\.md/,
    },
    {
      case: "on the last day",
      image: NEWEST,
      today: "2027-01-14",
      says: /on 2027-01-14, in 0 days;/,
    },
    {
      case: "afterwards",
      image: NEWEST,
      today: "2027-01-15",
      says: /ended its availability on 2027-01-14: a new deployment of it may be refused\. .*docs\/serving\.md/,
    },
    {
      case: "of the tutorial's image",
      image: OLD,
      today: "2026-11-27",
      says: /1-12:latest" ended its availability on 2025-05-15/,
    },
    { case: "of an image of one's own", image: OWN, today: "2030-01-01", says: null },
    {
      case: "of a version that is not known",
      image: NEWEST.replace("2-4", "3-0"),
      today: "2030-01-01",
      says: null,
    },
  ])("says what it should $case", ({ image, today, says }) => {
    const notice = endOfAvailabilityNotice(image, new Date(today));

    if (says === null) expect(notice).toBeNull();
    else expect(notice).toMatch(says);
  });
});
