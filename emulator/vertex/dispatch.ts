import type protobuf from "protobufjs";
import type { Around } from "../calls.ts";
import { ApiError } from "../errors.ts";
import type { Method, MethodCall } from "./cloud.ts";
import { toMessage } from "./codec.ts";
import type { Document, Json } from "./types.ts";

/** One call as an edge hands it over. */
export interface Dispatch {
  readonly method: Method | undefined;
  readonly request: Document;
  readonly responseType: protobuf.Type;
  readonly call: MethodCall;
  readonly caller: string;
  readonly reset: () => void;
}

/** Does the work of a call inside faults and request log. Throws ApiError. */
export async function dispatch(around: Around, options: Dispatch): Promise<protobuf.Message> {
  const { method, request, call } = options;
  const description = {
    method: call.method,
    resource: resourceOf(request),
    caller: options.caller,
    reset: options.reset,
  };
  const response = await around(description, async () => {
    if (method === undefined) {
      throw new ApiError("UNIMPLEMENTED", `The emulator does not implement ${call.method}.`);
    }
    return method(request, call);
  });
  return toMessage(options.responseType, response);
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
