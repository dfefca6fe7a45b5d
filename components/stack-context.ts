import type * as pulumi from "@pulumi/pulumi";

import type { RecordedState } from "./recorded.ts";

/** What every component needs to know of its stack. */
export interface StackContext {
  readonly project: string;
  /** Region, "us-central1". */
  readonly region: string;
  /** True on a stack that runs against the local Vertex AI. */
  readonly emulator: boolean;
  /** The stack's random uid: the mark on everything that it makes. */
  readonly stackUid: pulumi.Output<string>;
  /** The user's labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** What the engine's state held when the program began. */
  readonly recorded: RecordedState;
}
