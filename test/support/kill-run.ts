import { setTimeout as sleep } from "node:timers/promises";

import { deployedModels, isEmpty, isHolding, mutatingCalls } from "./cloud-questions.ts";
import { control } from "./emulator.ts";
import type { KillPoint, Phase } from "./kill-points.ts";
import { StackProject } from "./stack-project.ts";
import { waitDuring, waitFor } from "./wait-for.ts";

/** What one kill left behind and what the next plain command made of it. */
export interface KillReport {
  /** Resources in the cloud when the killed run was over: "1 bucket, 1 object, ...". */
  readonly before: string;
  /** Changing calls of the command that came next. */
  readonly calls: readonly string[];
  /** Resources after it. */
  readonly after: string;
  /** What is not as declared; empty when all is. */
  readonly problems: readonly string[];
}

interface Machine {
  readonly machineType: string;
  readonly acceleratorType: string;
}

const T4: Machine = { machineType: "n1-standard-8", acceleratorType: "NVIDIA_TESLA_T4" };
const L4: Machine = { machineType: "g2-standard-8", acceleratorType: "NVIDIA_L4" };

/**
 * A stack whose runs are killed, one kill after the other. Each time the next plain command follows: up after create and
 * rollout, destroy after destroy. Then everything has to be as declared.
 */
export class KilledStack {
  readonly #stack: StackProject;
  #machine = T4;
  #isUp = false;
  #changes = 0;

  private constructor(stack: StackProject) {
    this.#stack = stack;
  }

  static async create(): Promise<KilledStack> {
    const stack = await StackProject.create({ servers: "light" });
    await stack.set({ ...T4, keepVersions: "1" });
    return new KilledStack(stack);
  }

  /** Brings the stack to the kill point, kills, and runs the next plain command. */
  async killAt(point: KillPoint): Promise<KillReport> {
    const stack = this.#stack;
    await this.#prepare(point.phase);
    await runUntilKilled(stack, point);
    const before = await describe(stack);
    await control(stack.emulator.address, "DELETE", "requests");
    const problems =
      point.phase === "destroy"
        ? await destroyAgain(stack)
        : await upAgain(stack, this.#machine.machineType);
    this.#isUp = point.phase !== "destroy";
    const calls = await mutatingCalls(stack.emulator.address);
    return { before, calls, after: await describe(stack), problems };
  }

  /** What a preview would still change, and what destroy leaves. */
  async findLeftovers(): Promise<string[]> {
    if (!this.#isUp) return [];
    const found: string[] = [];
    const preview = await this.#stack.run(["preview", "--expect-no-changes"]);
    if (preview.code !== 0) found.push(`the next preview is not empty:\n${preview.output}`);
    return [...found, ...(await destroyAgain(this.#stack))];
  }

  async remove(): Promise<void> {
    await this.#stack.remove();
  }

  async #prepare(phase: Phase): Promise<void> {
    if (phase === "create" && this.#isUp) await this.#stack.destroy();
    if (phase !== "create" && !this.#isUp) await this.#stack.up();
    if (phase !== "rollout") return;
    this.#machine = this.#machine === T4 ? L4 : T4;
    this.#changes += 1;
    await this.#stack.set({ ...this.#machine });
    await this.#stack.writeHandlerFile("note.py", `"""Changes the archive: ${this.#changes}."""\n`);
  }
}

/** One kill in the life of a stack of its own, to its empty end. */
export async function killOnce(point: KillPoint): Promise<KillReport> {
  const stack = await KilledStack.create();
  try {
    const report = await stack.killAt(point);
    const problems = [...report.problems, ...(await stack.findLeftovers())];
    return { ...report, problems };
  } finally {
    await stack.remove();
  }
}

/** Runs up or destroy until the moment, kills, and waits until nothing of the run is left. */
async function runUntilKilled(stack: StackProject, point: KillPoint): Promise<void> {
  const { method, when } = point;
  await control(stack.emulator.address, "POST", "faults", {
    method,
    ...(when === "running" ? { hold: true } : { stall: true, when }),
  });
  const command = point.phase === "destroy" ? "destroy" : "up";
  const run = stack.start([command, "--yes", "--skip-preview"]);
  const isReached = () => isHolding(stack.emulator.address);
  await waitDuring(run, `the ${command}'s ${method}`, isReached, 120_000);
  await kill(stack, run, point);
  // What is killed beside the CLI, or asked to end, first has its effect; a call that stalls would keep the CLI.
  await Promise.race([run.ended, sleep(1_000)]);
  await control(stack.emulator.address, "DELETE", "faults");
  await run.ended;
  await waitFor(
    "the end of the provider processes",
    async () => (await stack.providerProcesses()).length === 0,
    30_000,
  );
  await waitFor("the end of all operations", () => isIdle(stack), 30_000);
}

async function kill(
  stack: StackProject,
  run: ReturnType<StackProject["start"]>,
  point: KillPoint,
): Promise<void> {
  switch (point.kill) {
    case "CLI":
      return stack.killCli(run.pid);
    case "provider":
      return (await stack.providerProcesses()).forEach((pid) => process.kill(pid, "SIGKILL"));
    case "language host":
      return (await stack.languageHosts(run.pid)).forEach((pid) => process.kill(pid, "SIGKILL"));
    case "Ctrl-C":
      return void run.kill("SIGINT");
    case "Ctrl-C twice":
      run.kill("SIGINT");
      await waitFor("the CLI's answer", () => run.output().includes("again"), 30_000);
      return void run.kill("SIGINT");
  }
}

async function destroyAgain(stack: StackProject): Promise<string[]> {
  const { code, output } = await stack.run(["destroy", "--yes", "--skip-preview"]);
  if (code !== 0) return [`the next destroy failed:\n${output}`];
  return isEmpty(await stack.cloud()) ? [] : [`destroy left ${await describe(stack)}`];
}

async function upAgain(stack: StackProject, machineType: string): Promise<string[]> {
  const { code, output } = await stack.tryUp();
  if (code !== 0) return [`the next up failed:\n${output}`];
  return findDifferences(stack, machineType);
}

/** What is not as the stack file declares it, each thing once. */
async function findDifferences(stack: StackProject, machineType: string): Promise<string[]> {
  const cloud = await stack.cloud();
  const found: string[] = [];
  const expectOne = (what: string, things: readonly unknown[]) => {
    if (things.length !== 1) found.push(`${things.length} ${what}`);
  };
  expectOne("buckets", cloud.buckets);
  expectOne("objects", Array.from({ length: cloud.buckets[0]?.objects ?? 0 }));
  expectOne("models", cloud.models);
  expectOne("versions", cloud.models[0]?.versions ?? []);
  expectOne("endpoints", cloud.endpoints);
  expectOne("deployed models", deployedModels(cloud));
  expectOne("servers", cloud.servers);
  const [deployed] = deployedModels(cloud);
  if (deployed?.machineType !== machineType) {
    found.push(`it runs on ${deployed?.machineType}, not on ${machineType}`);
  }
  const split = JSON.stringify(cloud.endpoints[0]?.trafficSplit);
  if (split !== JSON.stringify({ [deployed?.id ?? ""]: 100 })) found.push(`the split is ${split}`);
  const [version] = cloud.models[0]?.versions ?? [];
  if (version?.versionId !== deployed?.modelVersionId) found.push("another version serves");
  for (const alias of ["default", "live"]) {
    if (version?.aliases.includes(alias) !== true) found.push(`alias ${alias} is missing`);
  }
  return found;
}

async function describe(stack: StackProject): Promise<string> {
  const cloud = await stack.cloud();
  const counts: Record<string, number> = {
    bucket: cloud.buckets.length,
    object: cloud.buckets.reduce((sum, bucket) => sum + bucket.objects, 0),
    version: cloud.models.flatMap((model) => model.versions).length,
    endpoint: cloud.endpoints.length,
    "deployed model": deployedModels(cloud).length,
  };
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}${count === 1 ? "" : "s"}`);
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

async function isIdle(stack: StackProject): Promise<boolean> {
  return (await stack.cloud()).operations.every((operation) => operation.done);
}
