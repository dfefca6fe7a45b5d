/**
 * `npm run pulumi -- ARGS`: the real Pulumi CLI in this project's environment. A stack whose file
 * says `vertex-diffusion:emulator: true` gets the local Vertex AI and a backend under `.local/`;
 * every other stack gets the user's own backend and credentials.
 */
import { join } from "node:path";
import { cacheFolder } from "./toolchain/cache.ts";
import { requireCommand } from "./toolchain/command.ts";
import { clearKilledRuns } from "./toolchain/killed-runs.ts";
import { findRunningEmulator } from "./toolchain/emulator-address.ts";
import { cloudEnvironment, localEnvironment, localPaths } from "./toolchain/environment.ts";
import { findGcpPlugin, prepareLocalHome } from "./toolchain/gcp-plugin.ts";
import { describePlans } from "./toolchain/plan.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { findPulumi, planPulumi } from "./toolchain/pulumi-cli.ts";
import type { PulumiCli } from "./toolchain/pulumi-cli.ts";
import { terminalReport } from "./toolchain/report.ts";
import type { Report } from "./toolchain/report.ts";
import {
  choiceAfter,
  chooseStack,
  isAboutTheCli,
  isAccountCommand,
  namesItsStack,
  needsEmulator,
  readChosenStack,
  readCommandLine,
  readStackFile,
  takesConfigFile,
  writeChosenStack,
} from "./toolchain/stack-choice.ts";
import type { PulumiCommandLine, StackFile } from "./toolchain/stack-choice.ts";
import { runInTerminal } from "./toolchain/terminal-command.ts";
import { runMain, UserError } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

async function main(args: readonly string[]): Promise<number> {
  checkNode();
  const report = terminalReport();
  const line = readCommandLine(args);
  const stack = chooseStack(line, process.env["PULUMI_STACK"], await readChosenStack(PROJECT_ROOT));
  const file = await readStackFile(PROJECT_ROOT, stack);
  const isAccount = isAccountCommand(line);
  const isLocal = file?.isLocal === true && !isAccount;

  describePlans([await planPulumi()], cacheFolder()).forEach((news) => report.note(news));
  const cli = await findPulumi(report);
  // A command that makes, chooses or removes a stack names it itself; the variable would contradict.
  const named = namesItsStack(line) || isAccount ? undefined : stack;
  const env = isLocal
    ? await makeLocalEnvironment(line, named, stack, cli, report)
    : cloudEnvironment({ root: PROJECT_ROOT, cli, stack: named });

  const where = isLocal ? "on the local Vertex AI" : "in your own Google Cloud project";
  if (!isAboutTheCli(line)) {
    printDimmed(isAccount ? "your own Pulumi account" : `stack "${stack}", ${where}`);
  }
  if (isLocal) {
    for (const pid of await clearKilledRuns(localPaths(PROJECT_ROOT).backend)) {
      printDimmed(`the lock of a run that was killed (process ${pid}) is removed`);
    }
  }
  const code = await runInTerminal(join(cli.bin, "pulumi"), withConfigFile(args, line, file), env);
  if (code === 0) {
    await rememberChoice(line, cli, env);
  }
  return code;
}

async function makeLocalEnvironment(
  line: PulumiCommandLine,
  named: string | undefined,
  stack: string,
  cli: PulumiCli,
  report: Report,
): Promise<NodeJS.ProcessEnv> {
  const address = await findRunningEmulator(PROJECT_ROOT);
  if (address === undefined && needsEmulator(line)) {
    throw new UserError(
      `Stack "${stack}" lives on the local Vertex AI, which is not running: start it with "npm run emulator", ` +
        `or bring everything up with "npm run local".`,
    );
  }
  const plugin = await findGcpPlugin(report, { allowDownload: false, cli });
  await prepareLocalHome(PROJECT_ROOT, plugin);
  return localEnvironment({ root: PROJECT_ROOT, cli, plugin, address, stack: named });
}

/** Names the stack file under `.local/stacks`, which the CLI does not find by itself. */
function withConfigFile(
  args: readonly string[],
  line: PulumiCommandLine,
  file: StackFile | undefined,
): readonly string[] {
  const isNeeded = file?.isGenerated === true && takesConfigFile(line) && !line.hasConfigFile;
  const [first = "", ...rest] = args;
  return isNeeded ? [first, "--config-file", file.path, ...rest] : args;
}

async function rememberChoice(
  line: PulumiCommandLine,
  cli: PulumiCli,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const choice = choiceAfter(line);
  if (choice === "forget") {
    const chosen = await readChosenStack(PROJECT_ROOT);
    if (line.stack === undefined || line.stack === chosen) {
      await writeChosenStack(PROJECT_ROOT, undefined);
    }
  } else if (choice === "choose") {
    await writeChosenStack(PROJECT_ROOT, line.stack ?? (await askCurrentStack(cli, env)));
  }
}

/** The stack that was picked from the CLI's own list. */
async function askCurrentStack(cli: PulumiCli, env: NodeJS.ProcessEnv): Promise<string> {
  const program = join(cli.bin, "pulumi");
  const { stdout } = await requireCommand(program, ["stack", "--show-name"], {
    cwd: PROJECT_ROOT,
    env,
  });
  return stdout.trim();
}

function printDimmed(line: string): void {
  process.stderr.write(process.stderr.isTTY ? `\u001b[2m${line}\u001b[22m\n` : `${line}\n`);
}

await runMain(() => main(process.argv.slice(2)));
