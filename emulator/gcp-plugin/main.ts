import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";
import { addResourceProvider } from "./provider-server.ts";

// The engine ends its plugins when it ends; when it is itself killed they get no signal.
const ENGINE_POLL_MS = 500;

const { version } = createRequire(import.meta.url)("@pulumi/gcp/package.json") as {
  version: string;
};

const server = new grpc.Server({
  // The engine's own limit (400 MB); grpc-js stops at 4 MB.
  "grpc.max_receive_message_length": 400 * 1024 * 1024,
});
addResourceProvider(server, version);

server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) {
    console.error(`Could not start the local gcp plugin: ${error.message}.`);
    process.exit(1);
  }
  // The engine reads the port from the first line of standard output.
  console.log(port);
});

endWithEngine(Number(process.env["VERTEX_DIFFUSION_ENGINE_PID"]));

/** Ends this process, work in progress included, soon after the engine that started it is gone. */
function endWithEngine(engine: number): void {
  setInterval(() => {
    if (process.ppid !== engine) process.exit(0);
  }, ENGINE_POLL_MS).unref();
}
