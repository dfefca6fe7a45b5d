import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import { emulatorState, startTestEmulator } from "./emulator.ts";
import type { TestEmulator } from "./emulator.ts";
import { GcpPlugin } from "./gcp-plugin.ts";
import type { Properties } from "./gcp-plugin.ts";

/** Pulumi's marker for a value that a preview does not know yet. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** An emulator and the gcp plugin that talks to it, for all tests of a file; each test must leave the emulator empty. */
export class GcpPluginScene {
  emulator!: TestEmulator;
  plugin!: GcpPlugin;

  /** Calls the emulator as another client would. */
  async send(method: string, path: string, body?: unknown): Promise<Properties> {
    const response = await fetch(`${this.emulator.address.rest}${path}`, {
      method,
      ...(body !== undefined && {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
    const text = await response.text();
    return (text === "" ? {} : JSON.parse(text)) as Properties;
  }
}

export function setGcpPluginScene(): GcpPluginScene {
  const scene = new GcpPluginScene();
  beforeAll(async () => {
    scene.emulator = await startTestEmulator();
    scene.plugin = await GcpPlugin.start({
      GOOGLE_STORAGE_CUSTOM_ENDPOINT: `${scene.emulator.address.rest}/storage/v1/`,
      GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT: `${scene.emulator.address.rest}/v1/`,
      GOOGLE_PROJECT: "local-project",
    });
    await scene.plugin.configure();
  });
  afterEach(async () => {
    const { buckets, endpoints } = await emulatorState(scene.emulator.address);
    expect({ buckets, endpoints }).toEqual({ buckets: [], endpoints: [] });
  });
  afterAll(async () => {
    await scene.plugin.stop();
    await scene.emulator.stop();
  });
  return scene;
}
