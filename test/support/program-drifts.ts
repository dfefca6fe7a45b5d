import fc from "fast-check";

import { putObject } from "./bucket.ts";
import { FOREIGN_MODEL } from "./program-foreign.ts";
import { foreignDeployed, foreignObjects } from "./program-observation.ts";
import type { SeenCloud } from "./program-observation.ts";
import type { ProgramSession } from "./program-session.ts";
import { BUCKET, ENDPOINT, MODEL } from "./program-settings.ts";
import { rest, restOperation } from "./vertex-rest.ts";

/** What somebody changes by hand; `which` picks among the things that are there. */
export interface Drift {
  readonly what: keyof typeof DRIFTS;
  readonly which: number;
}

type Hand = (session: ProgramSession, cloud: SeenCloud, which: number) => Promise<unknown>;

/** Each leaves alone what is not there. */
const DRIFTS = {
  "undeploy a model": async ({ url }, cloud, which) => {
    const one = pick(cloud.deployed, which);
    if (one !== undefined) await undeploy(url, one.id, cloud);
  },
  "change the replicas": async ({ url }, { deployed }, which) => {
    const one = pick(deployed, which);
    if (one === undefined) return;
    const maxReplicaCount = one.maxReplicaCount + 1;
    await restOperation(url, "POST", `/v1/${ENDPOINT}:mutateDeployedModel`, {
      deployedModel: { id: one.id, dedicatedResources: { maxReplicaCount } },
      updateMask: "dedicatedResources.maxReplicaCount",
    });
  },
  "empty the split": async ({ url }, { endpoint }) => {
    if (endpoint !== undefined) await setSplit(url, {});
  },
  "give all traffic to one": async ({ url }, { deployed }, which) => {
    const one = pick(deployed, which);
    if (one !== undefined) await setSplit(url, { [one.id]: 100 });
  },
  "delete a version": async ({ url }, { versions, deployed }, which) => {
    const free = versions.filter(
      ({ id, aliases }) =>
        !aliases.includes("default") && !deployed.some((one) => one.modelVersionId === id),
    );
    const one = pick(free, which);
    if (one !== undefined)
      await restOperation(url, "DELETE", `/v1/${MODEL}@${one.id}:deleteVersion`);
  },
  "move live": ({ url }, { versions }, which) => moveAlias(url, pick(versions, which), "live"),
  "move default": ({ url }, { versions }, which) =>
    moveAlias(url, pick(versions, which), "default"),
  "change the labels": async ({ url }, { model }) => {
    if (model === undefined) return;
    const labels = { ...model.labels, team: "nobody", more: "yes" };
    await expectOk(rest(url, "PATCH", `/v1/${MODEL}?updateMask=labels`, { labels }));
  },
  "change the description": async ({ url }, { model }) => {
    if (model === undefined) return;
    const changed = { description: "by hand" };
    await expectOk(rest(url, "PATCH", `/v1/${MODEL}?updateMask=description`, changed));
  },
  "delete an archive": async ({ url }, { objects }, which) => {
    const one = pick(objects, which);
    if (one !== undefined) await deleteObject(url, one.name);
  },
  "overwrite an archive": async ({ url }, { objects }, which) => {
    const one = pick(objects, which);
    if (one === undefined) return;
    await putObject(url, BUCKET, one.name, "other bytes");
    // As by a tool that keeps the metadata; without them it is somebody else's object.
    const path = `/storage/v1/b/${BUCKET}/o/${encodeURIComponent(one.name)}`;
    await expectOk(rest(url, "PATCH", path, { metadata: one.metadata }));
  },
  "replace an archive by an object of one's own": async ({ url }, { objects }, which) => {
    const one = pick(objects, which);
    if (one !== undefined) await putObject(url, BUCKET, one.name, "somebody's bytes");
  },
  "put an object of one's own": async ({ url }, { bucket }, which) => {
    const name = which % 2 === 0 ? "notes.txt" : "archives/notes.txt";
    if (bucket !== undefined) await putObject(url, BUCKET, name, "mine");
  },
  "deploy a model of one's own": async ({ url }, { endpoint, deployed }) => {
    if (endpoint === undefined) return;
    await restOperation(url, "POST", `/v1/${ENDPOINT}:deployModel`, {
      deployedModel: {
        displayName: "somebody's",
        model: FOREIGN_MODEL,
        dedicatedResources: {
          machineSpec: { machineType: "n1-standard-4" },
          minReplicaCount: 1,
          maxReplicaCount: 1,
        },
      },
      ...(deployed.length === 0 ? { trafficSplit: { "0": 100 } } : {}),
    });
  },
  "empty the bucket": async ({ url }, { objects }) => {
    for (const { name } of objects) await deleteObject(url, name);
  },
  "delete the bucket": async ({ url }, { bucket, objects }) => {
    if (bucket === undefined) return;
    for (const { name } of objects) await deleteObject(url, name);
    await fetch(`${url}/storage/v1/b/${BUCKET}`, { method: "DELETE" });
  },
  "delete the endpoint": async (session, cloud) => {
    if (cloud.endpoint === undefined) return;
    await undeployEverything(session);
    await restOperation(session.url, "DELETE", `/v1/${ENDPOINT}`);
  },
  "delete the model": async (session, cloud) => {
    if (cloud.model === undefined) return;
    await undeployEverything(session);
    await restOperation(session.url, "DELETE", `/v1/${MODEL}`);
  },
  "restart the emulator": (session, _cloud, which) =>
    session.restartEmulator(which % 2 === 0 ? "SIGTERM" : "SIGKILL"),
} as const satisfies Record<string, Hand>;

export const drift: fc.Arbitrary<Drift> = fc.record({
  what: fc.constantFrom(...(Object.keys(DRIFTS) as (keyof typeof DRIFTS)[])),
  which: fc.nat(3),
});

/** Changes something behind the engine's back. */
export async function drifts(session: ProgramSession, { what, which }: Drift): Promise<void> {
  await DRIFTS[what](session, await session.look(), which);
}

/** Takes away what somebody put into the stack's bucket and onto its endpoint: what an up or a destroy refuses to touch. */
export async function takeOwnThingsAway(session: ProgramSession, stackUid: string): Promise<void> {
  const { url } = session;
  const cloud = await session.look();
  for (const one of foreignDeployed(cloud)) await undeploy(url, one.id, await session.look());
  for (const { name } of foreignObjects(cloud, stackUid)) await deleteObject(url, name);
}

function pick<T>(things: readonly T[], which: number): T | undefined {
  return things[which % Math.max(1, things.length)];
}

async function undeploy(url: string, id: string, { deployed, split }: SeenCloud): Promise<void> {
  const { [id]: share = 0, ...left } = split;
  const heir = deployed.find((one) => one.id !== id)?.id;
  const trafficSplit = heir === undefined ? {} : { ...left, [heir]: (left[heir] ?? 0) + share };
  await restOperation(url, "POST", `/v1/${ENDPOINT}:undeployModel`, {
    deployedModelId: id,
    ...(share === 0 ? {} : { trafficSplit }),
  });
}

async function undeployEverything(session: ProgramSession): Promise<void> {
  for (;;) {
    const cloud = await session.look();
    const [one] = cloud.deployed;
    if (one === undefined) return;
    await undeploy(session.url, one.id, cloud);
  }
}

async function setSplit(url: string, trafficSplit: Record<string, number>): Promise<void> {
  await expectOk(rest(url, "PATCH", `/v1/${ENDPOINT}?updateMask=trafficSplit`, { trafficSplit }));
}

async function moveAlias(
  url: string,
  version: SeenCloud["versions"][number] | undefined,
  alias: string,
): Promise<void> {
  if (version === undefined) return;
  const path = `/v1/${MODEL}@${version.id}:mergeVersionAliases`;
  await expectOk(rest(url, "POST", path, { versionAliases: [alias] }));
}

async function deleteObject(url: string, name: string): Promise<void> {
  await fetch(`${url}/storage/v1/b/${BUCKET}/o/${encodeURIComponent(name)}`, { method: "DELETE" });
}

async function expectOk(call: ReturnType<typeof rest>): Promise<void> {
  const { status, body } = await call;
  if (status !== 200) throw new Error(`A hand was refused: ${JSON.stringify(body)}`);
}
