import { beforeEach, describe, expect, it } from "@jest/globals";

import { useStorageServer } from "../support/storage-scene.ts";

const BUCKET = "/storage/v1/b/kept";

let now: Date;
const server = useStorageServer("kept", { now: () => now });
const { call, save, at } = server;

beforeEach(async () => {
  now = new Date("2026-11-24T12:00:00Z");
  await server.storage.reset();
  await server.makeBucket();
});

describe("holds", () => {
  it.each(["temporaryHold", "eventBasedHold"])(
    "%s keeps an object from being deleted, overwritten or moved, until it is taken away",
    async (hold) => {
      await save("held", "old");
      await call("PATCH", at("held"), { [hold]: true });

      const refused = [
        await call("DELETE", at("held")),
        await save("held", "new"),
        await call("POST", at("held", "/moveTo/o/other")),
        await call("POST", at("held", "/compose"), { sourceObjects: [{ name: "held" }] }),
        await call("PUT", "/kept/held", "new"),
      ];

      expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
      expect((await call("GET", at("held", "?alt=media"))).text).toBe("old");
      await call("PATCH", at("held"), { [hold]: false });
      expect((await call("DELETE", at("held"))).status).toBe(204);
    },
  );

  it("are on every new object of a bucket that says so, but not on copies elsewhere", async () => {
    await call("POST", "/storage/v1/b?project=p", { name: "elsewhere" });
    await call("PATCH", BUCKET, { defaultEventBasedHold: true });

    const { body } = await save("held");
    const copy = await call("POST", at("held", "/copyTo/b/elsewhere/o/copy"));

    expect(body).toMatchObject({ eventBasedHold: true });
    expect(copy.body).not.toHaveProperty("eventBasedHold");
  });
});

describe("retention policies", () => {
  it("are kept with the time since when they count", async () => {
    const { body } = await call("PATCH", BUCKET, { retentionPolicy: { retentionPeriod: 60 } });
    now = new Date("2026-11-24T13:00:00Z");
    const later = await call("PATCH", BUCKET, { labels: { a: "1" } });
    const removed = await call("PATCH", BUCKET, { retentionPolicy: null });

    const policy = { retentionPeriod: "60", effectiveTime: "2026-11-24T12:00:00.000Z" };
    expect(body.retentionPolicy).toEqual(policy);
    expect(later.body.retentionPolicy).toEqual(policy);
    expect(removed.body).not.toHaveProperty("retentionPolicy");
  });

  it("keep objects for their time", async () => {
    await call("PATCH", BUCKET, { retentionPolicy: { retentionPeriod: "60" } });
    const { body } = await save("young");

    const refused = await call("DELETE", at("young"));
    now = new Date("2026-11-24T12:01:00Z");
    const deleted = await call("DELETE", at("young"));

    expect(body.retentionExpirationTime).toBe("2026-11-24T12:01:00.000Z");
    expect(refused).toMatchObject({
      status: 403,
      body: { error: { errors: [{ reason: "retentionPolicyNotMet" }] } },
    });
    expect(deleted.status).toBe(204);
  });

  it("count anew from the end of an event-based hold", async () => {
    await call("PATCH", BUCKET, { retentionPolicy: { retentionPeriod: "60" } });
    await save("held", "x");
    await call("PATCH", at("held"), { eventBasedHold: true });
    now = new Date("2026-11-24T13:00:00Z");

    const { body } = await call("PATCH", at("held"), { eventBasedHold: false });

    expect(body.retentionExpirationTime).toBe("2026-11-24T13:01:00.000Z");
    expect((await call("DELETE", at("held"))).status).toBe(403);
  });

  it.each([0, -1, "x", 3_155_760_001])(
    "are refused with a period of %p",
    async (retentionPeriod) => {
      expect((await call("PATCH", BUCKET, { retentionPolicy: { retentionPeriod } })).status).toBe(
        400,
      );
    },
  );

  it.each([
    {
      what: "a bucket with object retention",
      path: "/storage/v1/b?project=p&enableObjectRetention=true",
      body: { name: "x-y-z" },
      status: 501,
    },
    {
      what: "a locked policy",
      path: `${BUCKET}/lockRetentionPolicy?ifMetagenerationMatch=1`,
      body: {},
      status: 501,
    },
  ])("$what is refused", async ({ path, body, status }) => {
    expect((await call("POST", path, body)).status).toBe(status);
  });

  it("of single objects are refused, as in a bucket without object retention", async () => {
    await save("single");
    const retention = { mode: "Unlocked", retainUntilTime: "2027-01-01T00:00:00Z" };

    expect((await call("PATCH", at("single"), { retention })).status).toBe(400);
  });
});
