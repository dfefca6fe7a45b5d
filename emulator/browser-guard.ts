import type { IncomingMessage } from "node:http";
import { ApiError } from "./errors.ts";

const LOOPBACK = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|host\.docker\.internal)$/i;
/** Clients that are led here by their resolver, or say whom they mean, name Google. */
const GOOGLE = /\.(?:googleapis\.com|vertexai\.goog)$/i;

/** Whether nobody but programs of this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host) || host === "::1";
}

/**
 * Keeps web pages out: everything here is open to any program of this machine, and a page that its browser shows must not be
 * one. A page can't hide the origin of a changing request, nor, when its own name was made to resolve to this machine, that
 * name. Throws PERMISSION_DENIED.
 */
export function refuseWebPages(req: IncomingMessage, listensOn: string): void {
  const { origin, host = "" } = req.headers;
  if (origin !== undefined && req.method !== "GET" && req.method !== "HEAD") {
    throw new ApiError(
      "PERMISSION_DENIED",
      `The emulator changes nothing for a web page (Origin "${origin}"). Call it from a program instead.`,
    );
  }
  const name = host.replace(/:\d+$/, "");
  if (!isLoopback(listensOn) || name === "" || LOOPBACK.test(name) || GOOGLE.test(name)) return;
  throw new ApiError(
    "PERMISSION_DENIED",
    `The emulator is not "${name}": address it as localhost, or start it with --host if others may reach it.`,
  );
}
