import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import { memoryBelow } from "../support/process-memory.ts";
import { OWN_SERVER, START_MS, TORCHSERVE, startTwoContainers } from "../support/two-containers.ts";
import type { TwoContainers } from "../support/two-containers.ts";

const MINUTES = Number(process.env["VERTEX_DIFFUSION_SOAK_MINUTES"] ?? 30);
/** Callers of each server at once. */
const CALLERS = 3;
const LOOK_MS = 5_000;
/** The beginning, in which caches fill, says nothing of growth. */
const WARM_SHARE = 0.25;
/** What may be added between the second quarter's most and the last one's, MiB: the allocator's own to and fro. */
const GROWTH_MIB = 48;

jest.setTimeout(START_MS + MINUTES * 60_000 + 120_000);

const DRAWN = { prompt: "a red circle", num_inference_steps: 4, width: 64, height: 64 };
const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsEty/aMYywi+hcEKLNO+FgEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQGBywLKp0DxvxLbjwAAAABJRU5ErkJggg==";

/** What callers ask for, good and bad, each with the status that it is answered with. */
const LOAD: readonly (readonly [status: number, body: unknown])[] = [
  [200, { instances: [DRAWN] }],
  [200, { instances: ["a blue square"] }],
  [200, { instances: Array(4).fill(DRAWN) }],
  [200, { instances: [{ ...DRAWN, num_images: 3, output: "full" }] }],
  [
    200,
    {
      instances: [
        { ...DRAWN, image_format: "jpeg" },
        { ...DRAWN, image_format: "webp" },
      ],
    },
  ],
  [200, { instances: [{ ...DRAWN, scheduler: "unipc", width: 96 }] }],
  [200, { instances: [{ ...DRAWN, init_image: PICTURE, strength: 0.5 }] }],
  [200, { instances: [DRAWN, { prompt: 7 }] }],
  [400, { instances: [{ ...DRAWN, width: 65 }] }],
  [400, { instances: [] }],
  [400, "{"],
];

let servers: TwoContainers;

beforeAll(async () => {
  servers = await startTwoContainers();
});

afterAll(async () => {
  await servers?.stop();
});

it(`answers mixed load for ${MINUTES} minutes without an error and without growing`, async () => {
  const end = Date.now() + MINUTES * 60_000;
  const wrong: string[] = [];
  let answered = 0;
  const call = async (endpoint: string, turn: number): Promise<void> => {
    const [status, body] = LOAD[turn % LOAD.length] ?? [200, {}];
    const text = typeof body === "string" ? body : JSON.stringify(body);
    try {
      const answer = await servers.post(endpoint, "rawPredict", text);
      const said = await answer.text();
      if (answer.status !== status) wrong.push(`${endpoint}: ${answer.status} to ${text}: ${said}`);
    } catch (error) {
      wrong.push(`${endpoint}: no answer to ${text}: ${String(error)}`);
    }
    answered += 1;
  };
  const callers = [TORCHSERVE, OWN_SERVER].flatMap((endpoint) =>
    Array.from({ length: CALLERS }, async (_, first) => {
      for (let turn = first; Date.now() < end; turn += 1) await call(endpoint, turn);
    }),
  );

  const memory: Record<string, number>[] = [];
  while (Date.now() < end) {
    memory.push({ ...(await memoryBelow(process.pid)) });
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  await Promise.all(callers);

  const growth = growthOf(memory);
  process.stderr.write(`${answered} answers; growth in MiB: ${JSON.stringify(growth)}\n`);
  expect(wrong).toEqual([]);
  expect(answered).toBeGreaterThan(MINUTES * 30);
  // Java's heap grows up to its limit before it is collected.
  expect(Object.keys(growth).some((program) => program.startsWith("python"))).toBe(true);
  for (const [program, mib] of Object.entries(growth)) {
    if (program !== "java") expect([program, mib < GROWTH_MIB]).toEqual([program, true]);
  }
});

/** By program: the most of the last quarter less the most of the second, MiB. */
function growthOf(memory: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const at = (share: number): number => Math.floor(memory.length * share);
  const most = (program: string, from: number, to: number): number =>
    Math.max(...memory.slice(from, to).map((each) => each[program] ?? 0));
  const programs = new Set(memory.flatMap((each) => Object.keys(each)));
  return Object.fromEntries(
    [...programs].map((program) => [
      program,
      Math.round(
        most(program, at(0.75), memory.length) - most(program, at(WARM_SHARE), at(2 * WARM_SHARE)),
      ),
    ]),
  );
}
