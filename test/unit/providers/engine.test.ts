import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import enginerpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";

import { say, showProgress } from "../../../providers/engine.ts";

const URN = "urn:pulumi:dev::vertex-diffusion::t::endpoint-deployment";

interface Line {
  readonly urn: string;
  readonly message: string;
  readonly ephemeral: boolean;
}

/** The engine's log service, whose address a provider process finds as its last argument. */
describe("lines for the engine", () => {
  let server: Server;
  let arrived: Line[];
  let onLine: () => void;

  beforeEach(async () => {
    arrived = [];
    onLine = () => undefined;
    server = new Server();
    server.addService(enginerpc.EngineService as never, {
      log: (call: ServerUnaryCall<LogRequest, unknown>) => {
        const { request } = call;
        arrived.push({
          urn: request.getUrn(),
          message: request.getMessage(),
          ephemeral: request.getEphemeral(),
        });
        // No answer: a provider waits for none.
        onLine();
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    process.argv.push(`127.0.0.1:${port}`);
  });

  afterEach(() => {
    process.argv.pop();
    server.forceShutdown();
  });

  /** Waits until this many lines have arrived. */
  async function lines(count: number): Promise<Line[]> {
    await new Promise<void>((resolve) => {
      onLine = () => {
        if (arrived.length >= count) resolve();
      };
      onLine();
    });
    return arrived;
  }

  it("progress goes to the resource's Info column, what is said stays, and nothing is said twice", async () => {
    say(URN, "rolls out");
    say(URN, "rolls out");
    showProgress(undefined, "for nobody");
    showProgress("", "for nobody");
    showProgress(URN, "STARTING_MODEL_SERVER (4 s)");

    expect(await lines(2)).toEqual([
      { urn: URN, message: "rolls out", ephemeral: false },
      { urn: URN, message: "STARTING_MODEL_SERVER (4 s)", ephemeral: true },
    ]);
  });
});
