import fc from "fast-check";
import type { ClockMode } from "../../emulator/clock.ts";
import type { ExpectedCall } from "./property-call.ts";
import type { PropertyCommand } from "./property-command.ts";
import { createEndpoint, deployModel } from "./property-endpoint-calls.ts";
import { uploadModel } from "./property-model-calls.ts";
import { advance, perform } from "./property-perform.ts";
import { emptyReference } from "./property-reference.ts";
import type { ReferenceCloud } from "./property-reference.ts";
import { PropertySession } from "./property-session.ts";
import { releaseFaults } from "./property-steps.ts";
import { verify } from "./property-verify.ts";

export interface PropertyOptions {
  readonly clock: ClockMode;
  readonly commands: fc.Arbitrary<PropertyCommand>[];
  /** Sequences in a run, unless VERTEX_DIFFUSION_PROPERTY_RUNS says otherwise. */
  readonly runs: number;
  readonly mostCommands: number;
}

/** The sequences of every run, unless VERTEX_DIFFUSION_PROPERTY_SEED names others. */
const SEED = 20261124;
/** More than the stages of any operation. */
const ENOUGH_STAGES = 10;

const NO_SPLIT = { kind: "none", weights: [1] } as const;
const WHOLE_SPLIT = { kind: "whole", weights: [1] } as const;
const VERSION = { model: 0, aliases: ["live"], folder: "a" } as const;
const DEPLOY = { endpoint: 0, model: 0, maxReplicas: 1 } as const;
/** What a sequence may find done; a sequence that fails is shrunk to as little of it as will do. */
const SCENE: readonly ((cloud: ReferenceCloud) => ExpectedCall)[] = [
  (cloud) => uploadModel(cloud, { ...VERSION, isVersion: false }),
  (cloud) => createEndpoint(cloud, { endpoint: 0 }),
  (cloud) => uploadModel(cloud, { ...VERSION, isVersion: true }),
  (cloud) => deployModel(cloud, { ...DEPLOY, version: "1", id: "1", split: WHOLE_SPLIT }),
  (cloud) => deployModel(cloud, { ...DEPLOY, version: "2", id: "2", split: NO_SPLIT }),
  (cloud) => createEndpoint(cloud, { endpoint: 1 }),
];

/** In every other sequence all of it. */
const sceneSteps = fc
  .noBias(fc.nat(2 * SCENE.length))
  .map((steps) => Math.min(steps, SCENE.length));

/** Runs random sequences of commands. Throws with the shortest that fails, its seed and all that was said in it. */
export async function checkProperty(options: PropertyOptions): Promise<void> {
  const { clock, commands, mostCommands } = options;
  const runs = Number(process.env["VERTEX_DIFFUSION_PROPERTY_RUNS"] ?? options.runs);
  const seed = Number(process.env["VERTEX_DIFFUSION_PROPERTY_SEED"] ?? SEED);
  let session: PropertySession | undefined;
  const property = fc.asyncProperty(
    // The commands come first: they can't be shrunk any more once what comes before them has been.
    fc.commands(commands, { maxCommands: mostCommands, size: "max" }),
    sceneSteps,
    async (sequence, steps) => {
      session ??= await PropertySession.start(clock);
      const running = session;
      await runSequence(running, sequence, steps).catch(async (error: Error) => {
        // Nothing of a failed sequence may reach the next.
        session = undefined;
        await running.abandon();
        throw new Error(`${error.message}\n${running.trace}`);
      });
    },
  );
  try {
    await fc.assert(property, { numRuns: runs, seed });
  } finally {
    await session?.stop();
  }
}

async function runSequence(
  session: PropertySession,
  commands: Iterable<PropertyCommand>,
  steps: number,
): Promise<void> {
  const cloud = emptyReference();
  await session.begin(cloud);
  for (const step of SCENE.slice(0, steps)) {
    await perform(cloud, session, step(cloud));
    await endAll(cloud, session);
  }
  await verify(cloud, session);
  await fc.asyncModelRun(() => ({ model: cloud, real: session }), commands);
  await releaseFaults(cloud, session);
  await endAll(cloud, session);
  await verify(cloud, session);
}

/** Whatever a call has started ends when nothing holds it. */
async function endAll(cloud: ReferenceCloud, session: PropertySession): Promise<void> {
  for (let stage = 0; stage < ENOUGH_STAGES && cloud.operations.length > 0; stage += 1) {
    await advance(cloud, session);
  }
  if (cloud.operations.length === 0) return;
  throw new Error(`Never ended: ${cloud.operations.map(({ name }) => name).join(", ")}.`);
}
