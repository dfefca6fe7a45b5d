/**
 * The floor of the control plane: a bare HTTP server and a bare gRPC server that answer each call with the bytes that the
 * emulator answered to the first one like it. What they need for a call, Node and the network need.
 *
 * Usage: node floor-server.ts EMULATOR_REST EMULATOR_GRPC. Prints {"rest", "grpc"} and runs until its stdin is closed.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, Server, ServerCredentials, credentials } from "@grpc/grpc-js";
import type { MethodDefinition, UntypedHandleCall, sendUnaryData } from "@grpc/grpc-js";

const METHODS = [
  "/google.cloud.aiplatform.v1.ModelService/GetModel",
  "/google.cloud.aiplatform.v1.EndpointService/ListEndpoints",
  "/google.cloud.aiplatform.v1.EndpointService/CreateEndpoint",
  "/google.longrunning.Operations/GetOperation",
];

const [emulatorRest = "", emulatorGrpc = ""] = process.argv.slice(2);
const remembered = new Map<string, Promise<Buffer>>();

function remember(key: string, ask: () => Promise<Buffer>): Promise<Buffer> {
  const known = remembered.get(key) ?? ask();
  remembered.set(key, known);
  return known;
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function askRest(method: string, path: string, body: Buffer): Promise<Buffer> {
  const answer = await fetch(`${emulatorRest}${path}`, {
    method,
    ...(method === "POST"
      ? { headers: { "content-type": "application/json" }, body: new Uint8Array(body) }
      : {}),
  });
  return Buffer.from(await answer.arrayBuffer());
}

async function startRest(): Promise<string> {
  const http = createServer((request, response) => {
    const { method = "GET", url = "/" } = request;
    void (async () => {
      const body = await readAll(request);
      const answer = await remember(`${method} ${url}`, () => askRest(method, url, body));
      response.writeHead(200, { "content-type": "application/json; charset=UTF-8" });
      response.end(answer);
    })();
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

const same = (bytes: Buffer): Buffer => bytes;

async function startGrpc(): Promise<string> {
  const emulator = new Client(emulatorGrpc, credentials.createInsecure());
  const server = new Server();
  for (const path of METHODS) {
    const definition: MethodDefinition<Buffer, Buffer> = {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    const ask = (request: Buffer): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        emulator.makeUnaryRequest(path, same, same, request, (error, answer) => {
          if (answer === undefined) reject(error ?? new Error(`${path} was not answered`));
          else resolve(answer);
        });
      });
    const answer = (call: { request: Buffer }, reply: sendUnaryData<Buffer>): void => {
      remember(path, () => ask(call.request)).then(
        (bytes) => reply(null, bytes),
        (error: Error) => reply(error),
      );
    };
    server.addService({ answer: definition }, { answer: answer as UntypedHandleCall });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return `127.0.0.1:${port}`;
}

process.stdin.resume().once("end", () => process.exit(0));
const [rest, grpc] = await Promise.all([startRest(), startGrpc()]);
process.stdout.write(`${JSON.stringify({ rest, grpc })}\n`);
