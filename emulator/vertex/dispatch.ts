import type protobuf from "protobufjs";
import type { Around, Call } from "../calls.ts";
import { ApiError } from "../errors.ts";
import type { MethodCall } from "./cloud.ts";
import { toMessage } from "./codec.ts";
import type { MethodTable } from "./methods.ts";
import type { Document, Json } from "./types.ts";

/** One call as an edge hands it over. */
export interface Dispatch {
  /** "EndpointService.DeployModel" */
  readonly key: string;
  readonly request: Document;
  readonly responseType: protobuf.Type;
  readonly call: MethodCall;
  readonly caller: string;
  readonly reset: () => void;
  /** Sends one message of a streamed answer; resolves when the next may come. */
  readonly send: (message: protobuf.Message) => Promise<void>;
}

/**
 * Does the work of a call inside faults and request log. Answers the message of a unary method; undefined when a streaming
 * one has sent all of its own. Throws ApiError.
 */
export async function dispatch(
  around: Around,
  methods: MethodTable,
  options: Dispatch,
): Promise<protobuf.Message | undefined> {
  const { key, request, responseType, call } = options;
  const unary = methods.unary[key];
  const streaming = methods.streaming[key];
  return around(describe(options), async () => {
    if (unary !== undefined) return toMessage(responseType, await unary(request, call));
    if (streaming === undefined) {
      throw new ApiError("UNIMPLEMENTED", `The emulator does not implement ${call.method}.`);
    }
    for await (const document of streaming(request, call)) {
      await options.send(toMessage(responseType, document));
    }
    return undefined;
  });
}

function describe({ call, request, caller, reset }: Dispatch): Call {
  return { method: call.method, resource: resourceOf(request), caller, reset };
}

/** The resource that a request acts on, for the log. */
function resourceOf(request: Document): string {
  const direct = [request["name"], request["endpoint"], request["parent"]];
  const nested = [request["model"], request["endpoint"]].map(nameIn);
  return [...direct, ...nested].find((one) => typeof one === "string") ?? "";
}

function nameIn(value: Json | undefined): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value["name"]
    : undefined;
}
