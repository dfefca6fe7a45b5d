import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { examine } from "../../scripts/doctor/examine.ts";
import type { Examination } from "../../scripts/doctor/examine.ts";
import { StackProject } from "../support/stack-project.ts";
import { control } from "../support/emulator.ts";
import { waitDuring } from "../support/wait-for.ts";

describe("npm run doctor", () => {
  let stack: StackProject;

  beforeEach(async () => {
    stack = await StackProject.create({ servers: "light" });
    process.env["VERTEX_DIFFUSION_EMULATOR"] = stack.env["VERTEX_DIFFUSION_EMULATOR"];
  }, 120_000);

  afterEach(async () => {
    await stack?.remove();
  });

  async function examination(): Promise<Examination> {
    const parent = "projects/local-project/locations/us-central1";
    return examine({
      stack: "test",
      exported: (await stack.run(["stack", "export"])).output,
      wouldTake: {
        emulator: true,
        stackUid: "",
        project: "local-project",
        bucket: "none",
        modelName: `${parent}/models/none`,
        endpoint: `${parent}/endpoints/1`,
      },
      rest: stack.emulator.address.rest,
    });
  }

  /** The arguments of the CLI in a command line `npm run pulumi -- ARGS --stack test`. */
  async function runMending(mend: string): Promise<number> {
    const [, args = ""] = /^npm run pulumi -- (.*) --stack test$/.exec(mend) ?? [];
    const words = args.split(" ");
    return (await stack.run(words[0] === "up" ? [...words, "--yes", "--skip-preview"] : words))
      .code;
  }

  it("says what a killed up left, and its commands mend it", async () => {
    await control(stack.emulator.address, "POST", "faults", { method: "DeployModel", hold: true });
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    const isDeploying = async () => (await stack.cloud()).endpoints[0]?.deploying.length === 1;
    await waitDuring(up, "the deploy", isDeploying, 120_000);
    await stack.killCli(up.pid);
    await up.ended;

    const sick = await examination();
    await control(stack.emulator.address, "DELETE", "faults");
    const codes: number[] = [];
    for (const { mend } of sick.findings) codes.push(await runMending(mend));

    expect(sick.findings.map(({ kind }) => kind)).toEqual([
      "pending-operation",
      "lone-claim",
      "running-operation",
    ]);
    expect(codes).toEqual([0, 0, 0]);
    expect((await examination()).findings).toEqual([]);
  }, 300_000);
});
