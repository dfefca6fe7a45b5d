import { endpointClient, modelClient } from "../../../providers/clients.ts";
import type { Connection } from "../../../providers/connection.ts";
import { startEmulatorTarget } from "../../conformance/target.ts";

export const PROJECT = "local-project";
export const LOCATION = "us-central1";
export const PARENT = `projects/${PROJECT}/locations/${LOCATION}`;

/** Where Google's clients and plain requests go: an emulator, or the floor beside it. */
export type Address = Extract<Connection, { kind: "emulator" }>;

/** The emulator that is measured: a process of its own. */
export interface Subject {
  readonly address: Address;
  readonly pid: number;
  /** Its data folder. */
  readonly data: string;
}

/** Starts an emulator with nothing in it, does the work, and stops it, whatever happens: nothing is left. */
export async function withEmulator<T>(
  python: string,
  work: (subject: Subject) => Promise<T>,
): Promise<T> {
  const { target, stop } = await startEmulatorTarget(python);
  try {
    const { rest = "", grpc = "" } = target;
    const { pid, data } = await requestJson<Subject>(`${rest}/_emulator/health`);
    return await work({ address: { kind: "emulator", rest, grpc }, pid, data });
  } finally {
    await stop();
  }
}

/** Ends Google's clients for that address: an open connection keeps a process from ending. */
export async function closeClients(address: Address): Promise<void> {
  const clients = [modelClient(address, LOCATION), endpointClient(address, LOCATION)];
  await Promise.all(clients.map(async (client) => (await client).close()));
}

/** A plain request, without any client: GET, or POST of a body. Throws what a refusal says. */
export async function requestJson<T>(url: string, body?: unknown): Promise<T> {
  const answer = await fetch(
    url,
    body === undefined
      ? {}
      : {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        },
  );
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered HTTP ${answer.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as T;
}
