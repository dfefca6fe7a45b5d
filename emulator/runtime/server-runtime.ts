import type { ServerSpec } from "./server-spec.ts";

/** How to run one server process and to talk to it. */
export interface Launch {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where the process runs. */
  readonly folder: string;
  /** Removed when the process ends. */
  readonly scratchDir: string;
  /** "http://127.0.0.1:PORT" of predict and health routes. */
  readonly url: string;
  /** Whether the model itself can answer, for a server that calls itself healthy before. */
  readonly isModelLoaded?: () => Promise<boolean>;
  /** Log line (global) that tells that loading the model failed and will be tried again. */
  readonly failedLoad?: RegExp;
  /** Whether it prepares its model before it listens: the default liveness check then begins once it is healthy. */
  readonly listensLate?: boolean;
  /** Whether SIGTERM lets it answer what is under way and end by itself. Without it the server is killed when nothing is. */
  readonly endsAtSigterm?: boolean;
}

/**
 * What stands in for a container: lays out one server process in the given folder, on free ports. Called anew for each
 * restart, with nothing but the log left in the folder. The spec's variables are already free of those that would reach
 * the process itself. Throws when this machine can't run it at all.
 */
export type ServerRuntime = (spec: ServerSpec, folder: string) => Promise<Launch>;
