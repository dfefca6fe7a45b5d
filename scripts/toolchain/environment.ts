import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { cacheFolder } from "./cache.ts";
import type { GcpPlugin } from "./gcp-plugin.ts";
import type { PulumiCli } from "./pulumi-bundle.ts";

/** Where the local Vertex AI and Cloud Storage listen, as in `.local/emulator/address.json`. */
export interface EmulatorAddress {
  /** "http://127.0.0.1:8085" */
  readonly rest: string;
  /** "127.0.0.1:8086" */
  readonly grpc: string;
}

/** What the environment of a stack on the local Vertex AI is made from. */
export interface LocalEnvironmentOptions {
  /** Root of the checkout: its node_modules and gcp stand-in are used. */
  readonly root: string;
  /** Folder of the local state. @default ".local" in the root */
  readonly localFolder?: string;
  readonly cli: PulumiCli;
  readonly plugin: GcpPlugin;
  /** The stack that commands without --stack mean; left out, the CLI chooses. */
  readonly stack?: string | undefined;
  /** Left out for commands that reach no provider, such as `stack ls`. */
  readonly address?: EmulatorAddress | undefined;
  /** @default the environment of this process */
  readonly base?: NodeJS.ProcessEnv;
}

/** What the environment of a stack in a user's own project is made from. */
export interface CloudEnvironmentOptions {
  readonly root: string;
  readonly cli: PulumiCli;
  readonly stack?: string | undefined;
  readonly base?: NodeJS.ProcessEnv;
}

/** A port that nothing listens on: what must stay on this machine fails there at once. */
const CLOSED_PROXY = "http://127.0.0.1:9";

/** Local operations take seconds, so their end is asked for more often than Google's. */
const LOCAL_POLL_MS = "500";

const LOOPBACK = "127.0.0.1,localhost,::1";

/** Pulumi's closure serializer loads every module of Node's, each experimental one with a warning. */
const QUIET_NODE = "--disable-warning=ExperimentalWarning";

/** Credentials, projects and state of the user's own that must not reach a local stack. */
const USER_VARIABLES = [
  "CLOUDSDK_CORE_PROJECT",
  "GCLOUD_KEYFILE_JSON",
  "GCLOUD_PROJECT",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_BILLING_PROJECT",
  "GOOGLE_CLOUD_KEYFILE_JSON",
  "GOOGLE_CLOUD_PROJECT",
  "GOOGLE_CREDENTIALS",
  "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
  "GOOGLE_PROJECT",
  "PULUMI_ACCESS_TOKEN",
  "PULUMI_CONFIG_PASSPHRASE_FILE",
  "PULUMI_STACK",
  "STORAGE_EMULATOR_HOST",
  "USER_PROJECT_OVERRIDE",
] as const;

/** Variables that point a client at an emulator and have no other use. */
const EMULATOR_VARIABLES = [
  "PULUMI_GCP_SKIP_REGION_VALIDATION",
  "STORAGE_EMULATOR_HOST",
  "VERTEX_DIFFUSION_EMULATOR",
  "VERTEX_DIFFUSION_POLL_MS",
] as const;

/** What `localEnvironment` sets of Pulumi's own: dropped when a cloud command starts inside of it. */
const LOCAL_PULUMI_VARIABLES = [
  "METADATA_SERVER_DETECTION",
  "PULUMI_BACKEND_URL",
  "PULUMI_CONFIG_PASSPHRASE",
  "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
  "PULUMI_HOME",
] as const;

/** The folder of the stand-in for the gcp plugin, which must never be on a cloud stack's PATH. */
export function standInFolder(root: string): string {
  return join(root, "emulator/gcp-plugin/bin");
}

/** Folders and files of the local state that more than one script uses. */
export function localPaths(root: string, localFolder: string = join(root, ".local")) {
  return {
    folder: localFolder,
    backend: join(localFolder, "pulumi/backend"),
    home: join(localFolder, "pulumi/home"),
    emulatorAddress: join(localFolder, "emulator/address.json"),
    chosenStack: join(localFolder, "stack"),
    stackFiles: join(localFolder, "stacks"),
  } as const;
}

/**
 * The environment for the CLI on a stack that lives on the local Vertex AI: its own backend and
 * Pulumi home under `.local/`, Google's addresses replaced, no credentials of the user's.
 */
export function localEnvironment(options: LocalEnvironmentOptions): NodeJS.ProcessEnv {
  const { root, cli, plugin, stack, address } = options;
  const base = options.base ?? process.env;
  const paths = localPaths(root, options.localFolder);
  const env: NodeJS.ProcessEnv = {
    ...without(base, USER_VARIABLES),
    GOOGLE_OAUTH_ACCESS_TOKEN: "local",
    METADATA_SERVER_DETECTION: "none",
    NODE_COMPILE_CACHE: compileCache(base),
    NODE_OPTIONS: nodeOptions(base, root),
    PULUMI_BACKEND_URL: `file://${paths.backend}`,
    PULUMI_CONFIG_PASSPHRASE: "",
    PULUMI_GCP_SKIP_REGION_VALIDATION: "true",
    PULUMI_HOME: paths.home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    VERTEX_DIFFUSION_EMULATOR: paths.emulatorAddress,
    VERTEX_DIFFUSION_POLL_MS: LOCAL_POLL_MS,
  };
  // Engine, providers and emulator talk over loopback; Node's gRPC would ask a proxy even for that.
  for (const name of ["NO_PROXY", "no_proxy"]) {
    env[name] = addWord(base[name], LOOPBACK, ",");
  }
  const programs = [cli.bin, join(root, "node_modules/.bin")];
  if (plugin.kind === "stand-in") {
    programs.unshift(plugin.path);
    env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true";
  } else {
    // The official provider asks Google who the token belongs to, whatever endpoints are set, and
    // tries again for minutes where packets are dropped. It is a Go program: those read this name.
    env["HTTPS_PROXY"] = CLOSED_PROXY;
  }
  env["PATH"] = toPath(programs, base["PATH"], standInFolder(root));
  if (address !== undefined) {
    env["GOOGLE_STORAGE_CUSTOM_ENDPOINT"] = `${address.rest}/storage/v1/`;
    env["GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT"] = `${address.rest}/v1/`;
  }
  if (stack !== undefined) {
    env["PULUMI_STACK"] = stack;
  }
  return env;
}

/**
 * The environment for the CLI on a stack in the user's own project: everything is the user's, only
 * the pinned CLI and Node come first on PATH. Nothing of a local stack is let through.
 */
export function cloudEnvironment(options: CloudEnvironmentOptions): NodeJS.ProcessEnv {
  const { root, cli, stack } = options;
  const base = options.base ?? process.env;
  const isInsideLocal = base["PULUMI_HOME"] === localPaths(root).home;
  const env = without(base, [
    ...EMULATOR_VARIABLES,
    ...(isInsideLocal ? LOCAL_PULUMI_VARIABLES : []),
  ]);
  for (const [name, value] of Object.entries(env)) {
    if (/^GOOGLE_.*_CUSTOM_ENDPOINT$/.test(name) && isLoopback(value)) {
      delete env[name];
    }
  }
  if (env["GOOGLE_OAUTH_ACCESS_TOKEN"] === "local") {
    delete env["GOOGLE_OAUTH_ACCESS_TOKEN"];
  }
  if (env["HTTPS_PROXY"] === CLOSED_PROXY) {
    delete env["HTTPS_PROXY"];
  }
  const programs = [cli.bin, join(root, "node_modules/.bin")];
  env["PATH"] = toPath(programs, base["PATH"], standInFolder(root));
  env["NODE_COMPILE_CACHE"] = compileCache(base);
  env["NODE_OPTIONS"] = nodeOptions(base, root);
  env["PULUMI_SKIP_UPDATE_CHECK"] = "true"; // the CLI is pinned
  if (stack !== undefined) {
    env["PULUMI_STACK"] = stack;
  }
  return env;
}

function without(env: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}

/** Where Node keeps compiled modules: program and providers are processes of their own, anew in each run, and load many. */
function compileCache(base: NodeJS.ProcessEnv): string {
  return base["NODE_COMPILE_CACHE"] ?? join(cacheFolder(base), "node-compile-cache");
}

/** Of the program and its providers: no warnings of Pulumi's own doing, and an end when their engine is gone. */
function nodeOptions(base: NodeJS.ProcessEnv, root: string): string {
  const preload = pathToFileURL(join(root, "scripts/toolchain/end-with-engine.js")).href;
  return addWord(addWord(base["NODE_OPTIONS"], QUIET_NODE, " "), `--import=${preload}`, " ");
}

/** The list with the word at its end, unless it has it. */
function addWord(list: string | undefined, word: string, separator: string): string {
  const words = (list ?? "").split(separator).filter((one) => one !== "");
  return words.includes(word) ? words.join(separator) : [...words, word].join(separator);
}

/** A PATH with `first` in front, each folder once, and without the stand-in unless it is in `first`. */
function toPath(first: readonly string[], rest: string | undefined, standIn: string): string {
  const others = (rest ?? "").split(delimiter).filter((folder) => folder !== "");
  const kept = others.filter((folder) => folder !== standIn && !first.includes(folder));
  return [...first, ...kept].join(delimiter);
}

function isLoopback(url: string | undefined): boolean {
  return /^https?:\/\/(127\.|localhost[:/]|\[::1\])/.test(url ?? "");
}
