import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { splitEnvironment } from "../../emulator/runtime/spec-environment.ts";
import { jsonPayload, lightSpec, setRuntimeScene } from "../support/runtime-scene.ts";
import type { RuntimeScene } from "../support/runtime-scene.ts";

jest.setTimeout(60_000);

let scene: RuntimeScene;

beforeEach(async () => {
  scene = await setRuntimeScene();
});

afterEach(async () => {
  await scene.stop();
});

async function environment(): Promise<Record<string, string>> {
  const answer = await scene.pool.predict("one", jsonPayload({}), 5000);
  const { predictions } = JSON.parse(answer.body.toString()) as {
    predictions: Record<string, string>[];
  };
  return predictions[0] ?? {};
}

describe("the variables of a container spec", () => {
  it.each([
    ...["LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "GCONV_PATH", "OPENSSL_CONF"],
    ...["PATH", "HOME", "TMPDIR", "TEMP", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME"],
    ...["JAVA_HOME", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"],
    ...["LOG4J_CONFIGURATION_FILE", "TS_CONFIG_FILE", "LOG_LOCATION", "BASH_ENV", "", "A=B"],
  ])("never reach a process as %p", (name) => {
    expect(splitEnvironment({ [name]: "value" })).toEqual({ kept: {}, dropped: [name] });
  });

  it.each(["AIP_MODE", "GREETING", "OMP_NUM_THREADS", "HF_HUB_OFFLINE", "MY_PATH", "python.x"])(
    "reach a process as %s",
    (name) => {
      expect(splitEnvironment({ [name]: "value" }).kept).toEqual({ [name]: "value" });
    },
  );

  it("are all that a server sees of them, and the others are named in its log", async () => {
    await scene.pool.start(
      lightSpec({
        predictRoute: "/environment",
        env: {
          GREETING: "hello",
          LD_PRELOAD: "/nowhere/evil.so",
          PATH: "/nowhere",
          PYTHONSTARTUP: "/nowhere/evil.py",
        },
      }),
    );

    const seen = await environment();
    const log = scene.pool.readLog("one");

    expect(seen).toMatchObject({ GREETING: "hello", PATH: process.env["PATH"] });
    expect(seen).not.toHaveProperty("LD_PRELOAD");
    expect(seen).not.toHaveProperty("PYTHONSTARTUP");
    expect(log).toContain('the variable "LD_PRELOAD" of the container spec is not passed on');
    expect(log).toContain('the variable "PATH" of the container spec is not passed on');
    expect(log).not.toContain("GREETING");
    expect(log).not.toContain("/nowhere");
  });
});

describe("command and args of a container spec", () => {
  it("are not run, and the log says so", async () => {
    await scene.pool.start(lightSpec({ command: ["/bin/false"], args: ["--serve"] }));

    expect(scene.one().state).toBe("READY");
    expect(scene.pool.readLog("one")).toContain(
      "command and args of the container spec are not run: the emulator starts its own server\n",
    );
  });
});
