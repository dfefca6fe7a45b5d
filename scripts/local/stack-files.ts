import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { localPaths } from "../toolchain/environment.ts";
import { PROJECT_ROOT } from "../toolchain/project.ts";
import { UserError } from "../toolchain/user-error.ts";
import { twinWeights } from "./twin-weights.ts";

/** Stack that `npm run local` runs: "local", or an environment's own settings under "local-<env>". */
export function localStackOf(environment: string | undefined): string {
  return environment === undefined || environment === "local" ? "local" : `local-${environment}`;
}

/**
 * Writes the stack file of an environment's local twin: its own settings, but on the local Vertex AI, with a shared
 * endpoint (a dedicated one has a host name that only Google serves) and the demo model where its weights are not there or not locked.
 * Returns what differs, in words.
 */
export async function writeLocalTwin(environment: string): Promise<string[]> {
  const source = join(PROJECT_ROOT, `Pulumi.${environment}.yaml`);
  const text = await readFile(source, "utf8").catch(() => undefined);
  if (text === undefined) {
    const known = (await readdir(PROJECT_ROOT))
      .flatMap((name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? [])
      .join(", ");
    throw new UserError(
      `There is no stack file Pulumi.${environment}.yaml. Environments: ${known}.`,
    );
  }
  const document = parseDocument(text);
  // The twin keeps its own salt: the original's belongs to another backend and passphrase.
  for (const key of ["encryptionsalt", "secretsprovider", "encryptedkey"]) document.delete(key);
  const differences: string[] = [];
  const set = (key: string, value: string, why: string) => {
    document.setIn(["config", key], value);
    differences.push(`${key.replace("vertex-diffusion:", "")}: ${value} (${why})`);
  };
  set("gcp:project", "local-project", "the local Vertex AI");
  set("vertex-diffusion:emulator", "true", "the local Vertex AI");
  set("vertex-diffusion:dedicatedEndpoint", "false", "only Google serves its host name");
  if (document.hasIn(["config", "vertex-diffusion:protect"])) {
    set("vertex-diffusion:protect", "false", "local:down takes it away again");
  }
  if (document.hasIn(["config", "vertex-diffusion:pin"])) {
    document.deleteIn(["config", "vertex-diffusion:pin"]);
    differences.push("pin: none (it names a version that only the original has)");
  }
  const declared = (key: string) => {
    const value = document.getIn(["config", `vertex-diffusion:${key}`]);
    return value === undefined ? {} : { [key]: String(value) };
  };
  const { weights, why } = await twinWeights(PROJECT_ROOT, {
    ...declared("weights"),
    ...declared("weightsConfig"),
  });
  if (why !== undefined) {
    set("vertex-diffusion:weights", weights, why);
    document.deleteIn(["config", "vertex-diffusion:weightsConfig"]);
  }
  const salt = await readSalt(localStackOf(environment));
  if (salt !== undefined) document.set("encryptionsalt", salt);
  const { stackFiles } = localPaths(PROJECT_ROOT);
  await mkdir(stackFiles, { recursive: true });
  await writeFile(join(stackFiles, `Pulumi.${localStackOf(environment)}.yaml`), String(document));
  return differences;
}

/**
 * Moves the salt that `stack init` wrote into a new file beside Pulumi.yaml to the twin's own file: for a generated stack
 * the CLI can't be told another place.
 */
export async function moveSaltToTwin(stack: string): Promise<void> {
  const made = join(PROJECT_ROOT, `Pulumi.${stack}.yaml`);
  const text = await readFile(made, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const twin = join(localPaths(PROJECT_ROOT).stackFiles, `Pulumi.${stack}.yaml`);
  const document = parseDocument(await readFile(twin, "utf8"));
  document.set("encryptionsalt", parseDocument(text).get("encryptionsalt"));
  await writeFile(twin, String(document));
  await rm(made);
}

/** Names of the stacks in the local backend, from its folder. */
export async function listLocalStacks(): Promise<string[]> {
  const folder = join(localPaths(PROJECT_ROOT).backend, ".pulumi/stacks/vertex-diffusion");
  const files = await readdir(folder).catch((): string[] => []);
  return files.flatMap((name) => /^(.+?)\.json$/.exec(name)?.[1] ?? []);
}

/** The salt that Pulumi wrote when the twin was made: without it the twin's state can't be read. */
async function readSalt(stack: string): Promise<string | undefined> {
  const path = join(localPaths(PROJECT_ROOT).stackFiles, `Pulumi.${stack}.yaml`);
  const text = await readFile(path, "utf8").catch(() => "");
  const salt = parseDocument(text).get("encryptionsalt");
  return typeof salt === "string" ? salt : undefined;
}
