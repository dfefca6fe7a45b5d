import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { makeBucket, putObject } from "../support/bucket.ts";
import { emulatorState, startTestEmulator } from "../support/emulator.ts";
import type { TestEmulator } from "../support/emulator.ts";
import { vertexClients } from "../support/vertex-clients.ts";
import type { VertexClients } from "../support/vertex-clients.ts";

const PARENT = "projects/local-project/locations/us-central1";
const IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";
const FAILED_PRECONDITION = 9;
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;

// Google's clients take seconds to load on a busy machine.
jest.setTimeout(60_000);

let emulator: TestEmulator;
let clients: VertexClients;

beforeAll(async () => {
  emulator = await startTestEmulator();
  clients = vertexClients(emulator.address.grpc);
  await makeBucket(emulator.address.rest, "models-bucket");
  await putObject(emulator.address.rest, "models-bucket", "good/model.mar", "archive");
  await putObject(emulator.address.rest, "models-bucket", "deep/inside/model.mar", "archive");
  await putObject(emulator.address.rest, "models-bucket", "two/model.mar", "archive");
  await putObject(emulator.address.rest, "models-bucket", "two/other.mar", "archive");
});

afterAll(async () => {
  await clients.close();
  await emulator.stop();
});

interface Upload {
  readonly modelId?: string;
  readonly parentModel?: string;
  readonly artifactUri?: string;
  readonly versionAliases?: string[];
  readonly env?: { name: string; value: string }[];
}

/** Uploads through Google's client and answers {model, version} as the operation's response names them. */
async function upload(options: Upload): Promise<{ model: string; version: string }> {
  const [operation] = await clients.models.uploadModel({
    parent: PARENT,
    ...(options.modelId === undefined ? {} : { modelId: options.modelId }),
    ...(options.parentModel === undefined ? {} : { parentModel: options.parentModel }),
    model: {
      displayName: "a model",
      artifactUri: options.artifactUri ?? "gs://models-bucket/good",
      containerSpec: { imageUri: IMAGE, env: options.env ?? [] },
      versionAliases: options.versionAliases ?? [],
      labels: { team: "art" },
    },
  });
  const [response] = await operation.promise();
  return { model: response.model ?? "", version: response.modelVersionId ?? "" };
}

describe("UploadModel", () => {
  it("makes version 1 with the alias default and names the project by its number", async () => {
    const { model, version } = await upload({ modelId: "first", versionAliases: ["sha-1"] });

    expect(version).toBe("1");
    expect(model).toMatch(/^projects\/[0-9]{12}\/locations\/us-central1\/models\/first$/);
    const [found] = await clients.models.getModel({ name: `${PARENT}/models/first` });
    expect(found).toMatchObject({
      name: model,
      versionId: "1",
      versionAliases: ["default", "sha-1"],
      labels: { team: "art" },
      artifactUri: "gs://models-bucket/good",
    });
  });

  it("does not return the container spec, which is input only", async () => {
    await upload({ modelId: "hidden-spec" });

    const [found] = await clients.models.getModel({ name: `${PARENT}/models/hidden-spec` });

    expect(found.containerSpec).toBeNull();
  });

  it("adds a version under parentModel and moves an alias that it takes", async () => {
    const { model } = await upload({ modelId: "versions", versionAliases: ["live"] });

    const second = await upload({ parentModel: model, versionAliases: ["live", "default"] });

    expect(second).toEqual({ model, version: "2" });
    const [versions] = await clients.models.listModelVersions({ name: model });
    expect(versions.map(({ versionId, versionAliases }) => [versionId, versionAliases])).toEqual([
      ["1", []],
      ["2", ["live", "default"]],
    ]);
  });

  it("finds a version by id and by alias", async () => {
    const { model } = await upload({ modelId: "named", versionAliases: ["sha-a"] });
    await upload({ parentModel: model, versionAliases: ["sha-b"] });

    const [byId] = await clients.models.getModel({ name: `${model}@2` });
    const [byAlias] = await clients.models.getModel({ name: `${model}@sha-b` });
    const [byDefault] = await clients.models.getModel({ name: model });

    expect([byId, byAlias, byDefault].map((one) => one.versionId)).toEqual(["2", "2", "1"]);
  });

  it.each([
    { problem: "no bucket", artifactUri: "gs://no-such-bucket/good", code: FAILED_PRECONDITION },
    {
      problem: "an empty folder",
      artifactUri: "gs://models-bucket/none",
      code: FAILED_PRECONDITION,
    },
    {
      problem: "the archive deeper",
      artifactUri: "gs://models-bucket/deep",
      code: FAILED_PRECONDITION,
    },
    { problem: "two archives", artifactUri: "gs://models-bucket/two", code: FAILED_PRECONDITION },
    {
      problem: "a file for a folder",
      artifactUri: "gs://models-bucket/good/model.mar",
      code: FAILED_PRECONDITION,
    },
    { problem: "no gs:// URI", artifactUri: "models-bucket/good", code: INVALID_ARGUMENT },
  ])("refuses artifacts with $problem", async ({ artifactUri, code }) => {
    await expect(upload({ artifactUri })).rejects.toMatchObject({ code });
  });

  it.each([
    { problem: "a digit first", upload: { modelId: "1abc" } },
    { problem: "an upper-case letter", upload: { modelId: "Abc" } },
    { problem: "an alias with an underscore", upload: { versionAliases: ["a_b"] } },
    { problem: "an AIP_ variable", upload: { env: [{ name: "AIP_MODE", value: "x" }] } },
  ])("refuses $problem as INVALID_ARGUMENT", async ({ upload: options }) => {
    await expect(upload(options)).rejects.toMatchObject({ code: INVALID_ARGUMENT });
  });

  it("refuses an id that is taken as ALREADY_EXISTS", async () => {
    await upload({ modelId: "taken" });

    await expect(upload({ modelId: "taken" })).rejects.toMatchObject({ code: 6 });
  });
});

describe("UpdateModel and MergeVersionAliases", () => {
  it("changes only the masked fields of the model", async () => {
    const { model } = await upload({ modelId: "updated" });

    const [updated] = await clients.models.updateModel({
      model: { name: model, displayName: "another name", description: "not in the mask" },
      updateMask: { paths: ["display_name"] },
    });

    expect(updated).toMatchObject({ displayName: "another name", description: "" });
  });

  it.each([
    { name: "the model's name", suffix: "", path: "version_description" },
    { name: "a version's name", suffix: "@1", path: "display_name" },
  ])("refuses $path by $name as a failed precondition", async ({ suffix, path }) => {
    const { model } = await upload({});

    const update = clients.models.updateModel({
      model: { name: `${model}${suffix}`, displayName: "x", versionDescription: "x" },
      updateMask: { paths: [path] },
    });

    await expect(update).rejects.toMatchObject({ code: FAILED_PRECONDITION });
  });

  it("refuses a change with an etag that is no longer the present one", async () => {
    const { model } = await upload({});
    const [before] = await clients.models.getModel({ name: model });
    const change = (displayName: string) =>
      clients.models.updateModel({
        model: { name: model, displayName, etag: before.etag ?? "" },
        updateMask: { paths: ["display_name"] },
      });

    await change("one");

    await expect(change("two")).rejects.toMatchObject({ code: 10 });
  });

  it("gives an alias to one version, takes it from the other and removes by a hyphen", async () => {
    const { model } = await upload({ versionAliases: ["live", "old"] });
    await upload({ parentModel: model });

    await clients.models.mergeVersionAliases({
      name: `${model}@2`,
      versionAliases: ["live", "default"],
    });
    await clients.models.mergeVersionAliases({ name: `${model}@1`, versionAliases: ["-old"] });

    const [versions] = await clients.models.listModelVersions({ name: model });
    expect(versions.map((version) => version.versionAliases)).toEqual([[], ["live", "default"]]);
  });

  it("refuses to leave a model without a default version", async () => {
    const { model } = await upload({});

    const merge = clients.models.mergeVersionAliases({
      name: `${model}@1`,
      versionAliases: ["-default"],
    });

    await expect(merge).rejects.toMatchObject({ code: INVALID_ARGUMENT });
  });
});

describe("ListModels", () => {
  it("answers the default version of each model that the filter names", async () => {
    await upload({ modelId: "listed" });

    const [models] = await clients.models.listModels({
      parent: PARENT,
      filter: 'model="listed" AND labels.team=art',
    });

    expect(models.map((model) => model.name?.replace(/^.*\//, ""))).toEqual(["listed"]);
  });
});

describe("a version's name", () => {
  it("carries the version where the model was asked for by version", async () => {
    const { model } = await upload({ modelId: "versioned-name", versionAliases: ["live"] });

    const [byAlias] = await clients.models.getModel({ name: `${model}@live` });
    const [bare] = await clients.models.getModel({ name: model });
    const [listed] = await clients.models.listModelVersions({ name: model });

    expect(byAlias.name).toBe(`${model}@1`);
    expect(bare.name).toBe(model);
    expect(listed.map(({ name }) => name)).toEqual([`${model}@1`]);
  });

  it("can be sent back with a change, as Google's Python SDK does", async () => {
    const { model } = await upload({ modelId: "sent-back" });
    const [read] = await clients.models.getModel({ name: `${model}@1` });

    const [updated] = await clients.models.updateModel({
      model: { ...read, versionDescription: "changed" },
      updateMask: { paths: ["version_description"] },
    });

    expect(updated.versionDescription).toBe("changed");
  });
});

describe("DeleteModel and DeleteModelVersion", () => {
  it("removes a version, and never gives its number again", async () => {
    const { model } = await upload({ modelId: "pruned" });
    await upload({ parentModel: model });

    const [operation] = await clients.models.deleteModelVersion({ name: `${model}@2` });
    await operation.promise();

    await expect(clients.models.getModel({ name: `${model}@2` })).rejects.toMatchObject({
      code: NOT_FOUND,
    });
    expect(await upload({ parentModel: model })).toEqual({ model, version: "3" });
  });

  it("refuses to delete the only version", async () => {
    const { model } = await upload({});

    const deletion = clients.models.deleteModelVersion({ name: `${model}@1` });

    await expect(deletion).rejects.toMatchObject({ code: FAILED_PRECONDITION });
  });

  it("removes a model with all its versions", async () => {
    const { model } = await upload({ modelId: "gone" });
    await upload({ parentModel: model });

    const [operation] = await clients.models.deleteModel({ name: model });
    await operation.promise();

    const { models } = await emulatorState(emulator.address);
    expect(models.map((one) => one.name)).not.toContain(model);
    await expect(clients.models.deleteModel({ name: model })).rejects.toMatchObject({
      code: NOT_FOUND,
    });
  });
});
