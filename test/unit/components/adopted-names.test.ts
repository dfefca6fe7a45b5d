import { beforeEach, describe, expect, it, jest } from "@jest/globals";

import { checkAdoption } from "../../../components/adopted-names.ts";
import { readRecordedState } from "../../../components/recorded.ts";
import { SettingsError } from "../../../components/settings.ts";
import { DYNAMIC, LOAD_TIMEOUT_MS, recordProgram } from "../../support/mocks.ts";
import { makeSettings } from "../../support/settings.ts";

const PREFIX = "urn:pulumi:dev::vertex-diffusion::vertex-diffusion:index:GpuEndpoint$";
const ADOPT = { endpoint: "123", model: "456", version: "1" };

function recorded(endpoint: string, model: string) {
  return {
    [`${PREFIX}gcp:vertex/aiEndpoint:AiEndpoint::endpoint`]: { outputs: { name: endpoint } },
    [`${PREFIX}${DYNAMIC}:VertexModel::endpoint-model`]: { outputs: { modelId: model } },
  };
}

const ADOPTION = { [`${PREFIX}${DYNAMIC}:Adoption::endpoint-adoption`]: { outputs: {} } };

describe("checkAdoption", () => {
  const log = jest.spyOn(console, "log").mockImplementation(() => undefined);
  const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);

  beforeEach(() => {
    log.mockClear();
    warn.mockClear();
  });

  async function check(state: Parameters<typeof recordProgram>[2], adopt: typeof ADOPT | null) {
    await recordProgram("dev", {}, state);
    await checkAdoption(makeSettings({ adopt }), await readRecordedState());
  }

  it.each([
    { case: "a new stack adopts", state: {} },
    { case: "a stack goes on with what it adopted", state: { ...recorded("123", "456") } },
  ])(
    "says nothing when $case",
    async ({ state }) => {
      await check({ state }, ADOPT);

      expect(log.mock.calls.concat(warn.mock.calls)).toEqual([]);
    },
    LOAD_TIMEOUT_MS,
  );

  it("says nothing when a stack with names of its own never adopted anything", async () => {
    await check({ state: recorded("1", "diffusion-dev") }, null);

    expect(log.mock.calls.concat(warn.mock.calls)).toEqual([]);
  });

  it("refuses to adopt in a stack that has an endpoint and a model of its own, and names them", async () => {
    const refused = check({ state: recorded("1", "diffusion-dev") }, ADOPT);

    await expect(refused).rejects.toThrow(SettingsError);
    await expect(refused).rejects.toThrow(
      'vertex-diffusion:adopt: this stack has endpoint "1" and model "diffusion-dev" already, which adopting another would delete. Adopt in a new stack ("npm run pulumi -- stack init NAME"), or destroy this one first.',
    );
  });

  it("warns what goes when the setting was taken out", async () => {
    await check({ state: { ...recorded("123", "456"), ...ADOPTION } }, null);

    expect(log.mock.calls.concat(warn.mock.calls).flat().join()).toContain(
      '"adopt" was taken out of Pulumi.dev.yaml: endpoint "123" and model "456", which this stack took over, are deleted, and new ones with names of its own are made. Put it back to keep them.',
    );
  });
});
