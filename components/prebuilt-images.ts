/** The prebuilt image that is served when a stack names none. */
export const PREBUILT_IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";

/** Where to read how to leave a prebuilt image. */
const GUIDE = 'docs/serving.md, "From the prebuilt image to the custom container"';

/**
 * Last day on which Google offers a prebuilt PyTorch inference image, by its version in the image's name.
 * Source: https://docs.cloud.google.com/gemini-enterprise-agent-platform/machine-learning/predictions/pre-built-containers
 */
const END_OF_AVAILABILITY: Readonly<Record<string, string>> = {
  "2-4": "2027-01-14",
  "2-3": "2027-01-14",
  "2-2": "2027-01-14",
  "2-1": "2025-12-01",
  "2-0": "2025-07-27",
  "1-13": "2025-05-15",
  "1-12": "2025-05-15",
  "1-11": "2025-05-15",
};

/** An end that is nearer than this is said. */
const NOTICE_DAYS = 90;

const DAY_MS = 24 * 3_600_000;

const PREBUILT =
  /^(?:us|europe|asia)-docker\.pkg\.dev\/vertex-ai\/prediction\/[\w-]+?\.(\d+-\d+)(?::[\w.-]+)?$/;

/** Whether Google made and offers the image. */
export function isPrebuilt(image: string): boolean {
  return PREBUILT.test(image);
}

/** What to say of an image whose end of availability is near or past; null: nothing. It changes nothing by itself. */
export function endOfAvailabilityNotice(image: string, today: Date): string | null {
  const end = END_OF_AVAILABILITY[PREBUILT.exec(image)?.[1] ?? ""];
  if (end === undefined) return null;
  const days = Math.ceil((Date.parse(end) - today.getTime()) / DAY_MS);
  if (days > NOTICE_DAYS) return null;
  const what = `Google's image "${image}"`;
  return days < 0
    ? `${what} ended its availability on ${end}: a new deployment of it may be refused. How to serve without it: ${GUIDE}.`
    : `${what} ends its availability on ${end}, in ${days} days; nothing changes by itself. How to serve without it: ${GUIDE}.`;
}
