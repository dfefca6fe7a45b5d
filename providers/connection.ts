import { readFileSync } from "node:fs";

import { ReconcileError } from "./errors.ts";

/** Where Vertex AI and Cloud Storage are for this process. Read from the environment at call time, never from state. */
export type Connection =
  | { readonly kind: "google" }
  | {
      readonly kind: "emulator";
      /** REST base address, "http://127.0.0.1:8085". */
      readonly rest: string;
      /** gRPC address, "127.0.0.1:8086". */
      readonly grpc: string;
    };

/** Path of an emulator's address.json, or its REST address. */
const EMULATOR_VARIABLE = "VERTEX_DIFFUSION_EMULATOR";

/** Reads the connection; throws when the variable names an emulator that has written no address. */
export function readConnection(env: NodeJS.ProcessEnv = process.env): Connection {
  const value = env[EMULATOR_VARIABLE];
  if (value === undefined || value === "") return { kind: "google" };
  if (value.startsWith("http://")) {
    const rest = value.replace(/\/$/, "");
    const grpc = env.VERTEX_DIFFUSION_EMULATOR_GRPC ?? `${new URL(rest).hostname}:8086`;
    return { kind: "emulator", rest, grpc };
  }
  try {
    const address = JSON.parse(readFileSync(value, "utf8")) as { rest: string; grpc: string };
    return { kind: "emulator", rest: address.rest, grpc: address.grpc };
  } catch {
    throw new ReconcileError(
      `The local Vertex AI is not running: there is no address at "${value}". Start it with "npm run local" or "npm run emulator".`,
    );
  }
}

/**
 * The connection that a stack's resources may use: a local stack never talks to Google, a cloud stack never to an
 * emulator. Returns a sentence for the person when they do not fit.
 */
export function connectionProblem(emulator: boolean, connection: Connection): string | undefined {
  if (emulator && connection.kind === "google") {
    return `This stack says "emulator: true", but ${EMULATOR_VARIABLE} is not set, so it would talk to Google. Run it with "npm run pulumi -- ARGS", or remove vertex-diffusion:emulator from the stack file.`;
  }
  if (!emulator && connection.kind === "emulator") {
    return `This stack is meant for Google Cloud, but ${EMULATOR_VARIABLE} points to a local emulator. Unset it, or set vertex-diffusion:emulator to true in the stack file.`;
  }
  return undefined;
}

/** Like readConnection, refused when it does not fit the stack. */
export function requireConnection(emulator: boolean): Connection {
  const connection = readConnection();
  const problem = connectionProblem(emulator, connection);
  if (problem !== undefined) throw new ReconcileError(problem);
  return connection;
}
