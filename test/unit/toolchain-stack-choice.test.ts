import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  choiceAfter,
  chooseStack,
  isAccountCommand,
  isLocalStackFile,
  needsEmulator,
  readChosenStack,
  readCommandLine,
  readStackFile,
  takesConfigFile,
  writeChosenStack,
} from "../../scripts/toolchain/stack-choice.ts";

const read = (line: string) => readCommandLine(line.split(" "));

describe("readCommandLine", () => {
  it.each([
    { line: "up --stack dev", stack: "dev" },
    { line: "up --stack=dev --yes", stack: "dev" },
    { line: "--color never preview -s dev", stack: "dev" },
    { line: "preview -sdev", stack: "dev" },
    { line: "stack init dev", stack: "dev" },
    { line: "stack init --secrets-provider passphrase dev", stack: "dev" },
    { line: "stack select -c dev", stack: "dev" },
    { line: "stack select my-org/vertex-diffusion/dev", stack: "my-org/vertex-diffusion/dev" },
    { line: "stack rm --yes dev", stack: "dev" },
    { line: "stack output endpoint", stack: undefined },
    { line: "up -m --stack", stack: undefined },
    { line: "config set key -- --stack", stack: undefined },
  ])("finds stack $stack in: $line", ({ line, stack }) => {
    expect(read(line).stack).toBe(stack);
  });
});

describe("chooseStack", () => {
  it("takes the stack on the line before PULUMI_STACK and the last choice", () => {
    expect(chooseStack(read("up -s dev"), "prod", "test")).toBe("dev");
  });

  it("takes PULUMI_STACK before the last choice", () => {
    expect(chooseStack(read("up"), "prod", "test")).toBe("prod");
  });

  it("takes the last choice before the default", () => {
    expect(chooseStack(read("up"), "", "test")).toBe("test");
  });

  it("is the local stack when nothing says otherwise", () => {
    expect(chooseStack(read("up"), undefined, undefined)).toBe("local");
  });
});

describe("a command line", () => {
  it.each([
    { line: "up --yes", needs: true },
    { line: "dn", needs: true },
    { line: "refresh --help", needs: false },
    { line: "stack ls", needs: false },
    { line: "version", needs: false },
  ])("needs the emulator ($needs): $line", ({ line, needs }) => {
    expect(needsEmulator(read(line))).toBe(needs);
  });

  it.each([
    { line: "pre", takes: true },
    { line: "config set a b", takes: true },
    { line: "stack output", takes: false },
    { line: "cancel", takes: false },
  ])("takes --config-file ($takes): $line", ({ line, takes }) => {
    expect(takesConfigFile(read(line))).toBe(takes);
  });

  it.each([
    { line: "stack select dev", choice: "choose" },
    { line: "stack init dev", choice: "choose" },
    { line: "stack init dev --no-select", choice: "keep" },
    { line: "stack rm dev", choice: "forget" },
    { line: "stack select --help", choice: "keep" },
    { line: "up -s dev", choice: "keep" },
  ])("makes the script $choice the stack: $line", ({ line, choice }) => {
    expect(choiceAfter(read(line))).toBe(choice);
  });

  it.each([
    { line: "login gs://states", isAccount: true },
    { line: "plugin install resource gcp 9.37.0", isAccount: true },
    { line: "stack ls", isAccount: false },
  ])("is about the user's account ($isAccount): $line", ({ line, isAccount }) => {
    expect(isAccountCommand(read(line))).toBe(isAccount);
  });
});

describe("isLocalStackFile", () => {
  it.each([
    { text: "config:\n  vertex-diffusion:emulator: true\n", isLocal: true },
    { text: 'config:\n  vertex-diffusion:emulator: "true"\n', isLocal: true },
    { text: "config:\n  vertex-diffusion:emulator: false\n", isLocal: false },
    { text: "config:\n  gcp:project: mine\n", isLocal: false },
    { text: "config:\n", isLocal: false },
    { text: "", isLocal: false },
  ])("is $isLocal for $text", ({ text, isLocal }) => {
    expect(isLocalStackFile(text)).toBe(isLocal);
  });
});

describe("the files of a checkout", () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "toolchain-stack-"));
  });

  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  it("give a stack of an organization its file by the stack's own name", async () => {
    await writeFile(join(root, "Pulumi.dev.yaml"), "config:\n  gcp:project: mine\n");

    const file = await readStackFile(root, "my-org/vertex-diffusion/dev");

    expect(file).toEqual({
      path: join(root, "Pulumi.dev.yaml"),
      isGenerated: false,
      isLocal: false,
    });
  });

  it("show a stack made by local as generated", async () => {
    const path = join(root, ".local/stacks/Pulumi.local-dev.yaml");
    await mkdir(join(root, ".local/stacks"), { recursive: true });
    await writeFile(path, "config:\n  vertex-diffusion:emulator: true\n");

    expect(await readStackFile(root, "local-dev")).toEqual({
      path,
      isGenerated: true,
      isLocal: true,
    });
  });

  it("name the stack file that is not YAML in one sentence", async () => {
    await writeFile(join(root, "Pulumi.dev.yaml"), "config: [");

    await expect(readStackFile(root, "dev")).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringContaining(`"${join(root, "Pulumi.dev.yaml")}"`),
    });
  });

  it("remember the chosen stack until it is forgotten", async () => {
    await writeChosenStack(root, "dev");
    const chosen = await readChosenStack(root);
    await writeChosenStack(root, undefined);

    expect(chosen).toBe("dev");
    expect(await readChosenStack(root)).toBeUndefined();
  });
});
