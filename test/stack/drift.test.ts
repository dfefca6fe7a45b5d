import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { deployedModels, isEmpty, mutatingCalls } from "../support/cloud-questions.ts";
import { documentedDrifts } from "../support/drift-table.ts";
import { control } from "../support/emulator.ts";
import { Hand } from "../support/hand.ts";
import { StackProject } from "../support/stack-project.ts";
import { stateAndCloud } from "../support/true-state.ts";

/** A round of the real CLI: what does not touch each other is changed at once. The names are docs/drift.md's rows. */
const ROUNDS: readonly (readonly string[])[] = [
  [
    "replicas of the deployed model",
    "display name and labels of the model",
    "display name and labels of the endpoint",
    "the archive's bytes, under the stack's own marks",
  ],
  ["the traffic split", "aliases `live` and `default`", "the archive was deleted"],
  ["the deployed model was undeployed", "the bucket was deleted"],
  ["the served version was undeployed and deleted"],
  ["the endpoint was deleted"],
];
const REFUSED = [
  "somebody's object in the archive's place",
  "somebody's model deployed on the endpoint",
] as const;
const RESTARTED = "the local Vertex AI was started on other ports";

const UP_MS = 240_000;

const documented = documentedDrifts();

function rowOf(changed: string) {
  const row = documented.find((one) => one.changed === changed);
  if (row === undefined) throw new Error(`docs/drift.md has no row "${changed}"`);
  return row;
}

describe("a stack that was changed by hand", () => {
  let stack: StackProject;
  let hand: Hand;
  let bucket: string;
  let object: string;
  let marks: Readonly<Record<string, string>>;

  /** Version 2 serves, version 1 is kept. */
  beforeAll(async () => {
    stack = await StackProject.create({ servers: "light" });
    hand = new Hand(() => stack.emulator.address);
    await stack.set({ labels: { team: "art" } });
    await stack.up();
    await stack.writeHandlerFile("note.py", '"""Changes the archive."""\n');
    await stack.up();
    const { outputs } = await stack.resource("ArchiveUpload");
    bucket = String(outputs["bucket"]);
    object = `archives/${String(outputs["digest"])}/model.mar`;
    const uid = String(outputs["stackUid"]);
    marks = { "managed-by": "vertex-diffusion", "vertex-diffusion-stack": uid };
  }, 300_000);

  afterAll(async () => {
    await stack?.remove();
  });

  const byHand: Readonly<Record<string, () => Promise<void>>> = {
    "replicas of the deployed model": () => hand.setReplicas(1, 3),
    "display name and labels of the model": () =>
      hand.describeModel({ displayName: "mine", labels: { ...marks, team: "theirs" } }),
    "display name and labels of the endpoint": () =>
      hand.describeEndpoint({ displayName: "mine", labels: { ...marks, team: "theirs" } }),
    "the archive's bytes, under the stack's own marks": () =>
      hand.overwriteObject(bucket, object, {
        "vertex-diffusion-stack": marks["vertex-diffusion-stack"] ?? "",
      }),
    "the traffic split": () => hand.setSplit({}),
    "aliases `live` and `default`": () => hand.mergeAliases("1", "live", "default"),
    "the archive was deleted": () => hand.deleteObject(bucket, object),
    "the deployed model was undeployed": () => hand.undeploy(),
    "the bucket was deleted": () => hand.deleteBucket(bucket),
    "the served version was undeployed and deleted": async () => {
      await hand.undeploy();
      await hand.mergeAliases("1", "default");
      await hand.deleteVersion("2");
    },
    "the endpoint was deleted": () => hand.deleteEndpoint(),
    "somebody's object in the archive's place": () => hand.overwriteObject(bucket, object),
    "somebody's model deployed on the endpoint": () => hand.deploy("stranger"),
    [RESTARTED]: () => stack.restartEmulator(),
  };

  it("is changed in each way that docs/drift.md names, and in no other", () => {
    const played = [...ROUNDS.flat(), ...REFUSED, RESTARTED];

    expect(played).toEqual(documented.map(({ changed }) => changed));
    expect(Object.keys(byHand).sort()).toEqual([...played].sort());
  });

  it.each(ROUNDS.map((round) => ({ round })))(
    "says so in the preview and is brought back by the next up: $round",
    async ({ round }) => {
      for (const changed of round) await byHand[changed]?.();

      const preview = await stack.preview();
      await control(stack.emulator.address, "DELETE", "requests");
      await stack.up();

      const calls = (await mutatingCalls(stack.emulator.address)).map(shortName);
      const rows = round.map(rowOf);
      for (const words of rows.flatMap((row) => row.preview)) expect(preview).toContain(words);
      expect([...new Set(calls)].sort()).toEqual(
        [...new Set(rows.flatMap((row) => row.calls))].sort(),
      );
      await expectDeclared();
    },
    UP_MS,
  );

  it(
    "refuses what somebody else put in its place, leaves it, and goes on once it is gone",
    async () => {
      const [inBucket, onEndpoint] = REFUSED.map(rowOf);
      for (const changed of REFUSED) await byHand[changed]?.();

      const preview = await stack.preview();
      await control(stack.emulator.address, "DELETE", "requests");
      const first = await stack.tryUp();
      const changedByFirst = await mutatingCalls(stack.emulator.address);
      await hand.deleteObject(bucket, object);
      const second = await stack.tryUp();
      const deployed = deployedModels(await stack.cloud()).map(({ displayName }) => displayName);
      await hand.undeploy("77");
      await stack.up();

      for (const words of [...(inBucket?.preview ?? []), ...(onEndpoint?.preview ?? [])]) {
        expect(preview).toContain(words);
      }
      expect(first.code).not.toBe(0);
      for (const words of inBucket?.refusal ?? []) expect(first.output).toContain(words);
      expect(changedByFirst).toEqual([]);
      expect(second.code).not.toBe(0);
      for (const words of onEndpoint?.refusal ?? []) expect(second.output).toContain(words);
      expect(deployed).toContain("stranger");
      await expectDeclared();
    },
    UP_MS,
  );

  it(
    "is found where the local Vertex AI was started again, on other ports",
    async () => {
      const before = stack.emulator.address.rest;

      await byHand[RESTARTED]?.();

      expect(stack.emulator.address.rest).not.toBe(before);
      expect(rowOf(RESTARTED)).toMatchObject({ preview: [], refusal: [], calls: [] });
      await expectDeclared();
    },
    UP_MS,
  );

  it(
    "leaves nothing after destroy",
    async () => {
      await stack.destroy();

      expect(isEmpty(await stack.cloud())).toBe(true);
    },
    UP_MS,
  );

  /** The state says what the cloud holds, and there is nothing to do. */
  async function expectDeclared(): Promise<void> {
    const { state, cloud } = await stateAndCloud(stack);
    expect(state).toEqual(cloud);
    expect(await stack.preview("--expect-no-changes")).toMatch(/^ *16 unchanged$/m);
  }
});

/** "EndpointService.DeployModel" -> "DeployModel", "storage.objects.insert" -> "objects.insert". */
function shortName(method: string): string {
  return method.replace(/^(\w+Service|storage)\./, "");
}
