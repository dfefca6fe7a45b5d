import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import * as grpc from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import type { Around } from "../calls.ts";
import { toApiError } from "../http.ts";
import { fromMessage } from "./codec.ts";
import { listRpcs, root } from "./descriptors.ts";
import type { Version } from "./descriptors.ts";
import { dispatch } from "./dispatch.ts";
import type { MethodTable } from "./methods.ts";

/** Above the largest payload that any endpoint takes. */
const MESSAGE_LIMIT_BYTES = 12_000_000;

/** One RPC that gRPC serves. */
interface Served {
  readonly service: string;
  readonly name: string;
  readonly fullName: string;
  readonly key: string;
  /** undefined for the operations service, which belongs to no version. */
  readonly version: Version | undefined;
  readonly responseStream: boolean;
  readonly requestType: protobuf.Type;
  readonly responseType: protobuf.Type;
}

type Request = { readonly document: protobuf.Message; readonly bytes: number };
type UnaryCall = grpc.ServerUnaryCall<Request, protobuf.Message>;
type StreamingCall = grpc.ServerWritableStream<Request, protobuf.Message>;

/** The gRPC edge. It owns its sockets, so that a declared fault can reset the connection of one client. */
export class VertexGrpc {
  readonly #server: grpc.Server;
  readonly #listener: NetServer;
  readonly #sockets = new Map<string, Socket>();

  constructor(methods: MethodTable, around: Around) {
    this.#server = new grpc.Server({
      "grpc.max_receive_message_length": MESSAGE_LIMIT_BYTES,
      "grpc.max_send_message_length": MESSAGE_LIMIT_BYTES,
    });
    for (const [service, served] of groupByService(listServed(methods))) {
      const definition: Record<string, grpc.MethodDefinition<Request, protobuf.Message>> = {};
      const handlers: grpc.UntypedServiceImplementation = {};
      for (const one of served) {
        definition[one.name] = toDefinition(service, one);
        handlers[one.name] = one.responseStream
          ? (call: StreamingCall) => void this.#stream(methods, around, one, call)
          : (call: UnaryCall, done: grpc.sendUnaryData<protobuf.Message>) =>
              void this.#answer(methods, around, one, call, done);
      }
      this.#server.addService(definition, handlers);
    }
    const injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    this.#listener = createServer((socket) => {
      const peer = `${socket.remoteAddress}:${socket.remotePort}`;
      this.#sockets.set(peer, socket);
      socket.once("close", () => this.#sockets.delete(peer));
      socket.on("error", () => socket.destroy());
      injector.injectConnection(socket);
    });
  }

  /** Rejects with the system's error, e.g. EADDRINUSE. Answers the port. */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#listener.once("error", reject);
      this.#listener.listen(port, host, resolve);
    });
    return (this.#listener.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.forceShutdown();
    for (const socket of this.#sockets.values()) socket.destroy();
    await new Promise<void>((resolve) => this.#listener.close(() => resolve()));
  }

  async #answer(
    methods: MethodTable,
    around: Around,
    served: Served,
    call: UnaryCall,
    done: grpc.sendUnaryData<protobuf.Message>,
  ): Promise<void> {
    try {
      const message = await this.#dispatch(methods, around, served, call, async () => undefined);
      done(null, message);
    } catch (error) {
      done(toStatus(error));
    }
  }

  async #stream(
    methods: MethodTable,
    around: Around,
    served: Served,
    call: StreamingCall,
  ): Promise<void> {
    try {
      await this.#dispatch(methods, around, served, call, async (message) => {
        if (!call.write(message))
          await Promise.race([once(call, "drain"), once(call, "cancelled")]);
      });
      call.end();
    } catch (error) {
      call.emit("error", toStatus(error));
    }
  }

  async #dispatch(
    methods: MethodTable,
    around: Around,
    served: Served,
    call: UnaryCall | StreamingCall,
    send: (message: protobuf.Message) => Promise<void>,
  ): Promise<protobuf.Message | undefined> {
    const header = (name: string): string => String(call.metadata.get(name)[0] ?? "");
    const gone = new AbortController();
    call.once("cancelled", () => gone.abort());
    return dispatch(around, methods, {
      key: served.key,
      request: fromMessage(call.request.document),
      responseType: served.responseType,
      call: {
        version: served.version,
        method: served.fullName,
        host: call.getHost().replace(/:\d+$/, ""),
        endpointHeader: header("x-vertex-ai-endpoint-id"),
        requestBytes: call.request.bytes,
        signal: gone.signal,
        setHeader: () => undefined,
      },
      caller: `grpc ${(header("x-goog-api-client") || header("user-agent")).slice(0, 120)}`,
      reset: () => this.#sockets.get(call.getPeer())?.resetAndDestroy(),
      send,
    });
  }
}

function toStatus(error: unknown): { code: grpc.status; details: string } {
  const refusal = toApiError(error);
  return { code: refusal.code, details: refusal.message };
}

/** What is missing answers UNIMPLEMENTED by name; where the caller streams, by the gRPC library's own answer. */
function listServed(methods: MethodTable): Served[] {
  const vertex = listRpcs()
    .filter((rpc) => !rpc.requestStream)
    .map((rpc) => ({
      ...rpc,
      service: rpc.fullName.replace(/\.[^.]+$/, ""),
      name: rpc.fullName.replace(/^.*\./, ""),
    }));
  const operations = root.lookupService("google.longrunning.Operations").methodsArray;
  return [
    ...vertex,
    ...operations
      .filter((method) => `Operations.${method.name}` in methods.unary)
      .map((method) => {
        method.resolve();
        return {
          service: "google.longrunning.Operations",
          name: method.name,
          fullName: `google.longrunning.Operations.${method.name}`,
          key: `Operations.${method.name}`,
          version: undefined,
          responseStream: false,
          requestType: method.resolvedRequestType as protobuf.Type,
          responseType: method.resolvedResponseType as protobuf.Type,
        };
      }),
  ];
}

function groupByService(served: readonly Served[]): Map<string, Served[]> {
  return Map.groupBy(served, (one) => one.service);
}

function toDefinition(
  service: string,
  served: Served,
): grpc.MethodDefinition<Request, protobuf.Message> {
  const encode = (type: protobuf.Type, message: protobuf.Message): Buffer =>
    Buffer.from(type.encode(message).finish());
  return {
    path: `/${service}/${served.name}`,
    requestStream: false,
    responseStream: served.responseStream,
    requestSerialize: (request) => encode(served.requestType, request.document),
    requestDeserialize: (bytes) => ({
      document: served.requestType.decode(bytes),
      bytes: bytes.length,
    }),
    responseSerialize: (message) => encode(served.responseType, message),
    responseDeserialize: (bytes) => served.responseType.decode(bytes),
  };
}
