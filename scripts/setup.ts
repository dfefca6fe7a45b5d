/**
 * `npm run setup`: makes ready what this project needs beside npm and Python, and says first what
 * that is. Everything lands in the user's cache folder, for all clones.
 */
import { parseArgs } from "node:util";
import { describePlan } from "./toolchain/plan.ts";
import { terminalReport } from "./toolchain/report.ts";
import { ensureToolchain, planToolchain } from "./toolchain/toolchain.ts";
import { runMain, UserError } from "./toolchain/user-error.ts";

const HELP = `Usage: npm run setup -- [options]

Makes ready the Pulumi CLI, the Python environment of the model servers, the handler's packages and
the gcp plugin, in the user's cache folder ($XDG_CACHE_HOME or ~/.cache). Run again, it changes
nothing.

  --plan    say what would be downloaded or built, and do nothing
  --json    print where everything is as JSON: pulumi, python, java, gcpPlugin
  --help    print this

Environment:
  VERTEX_DIFFUSION_PULUMI      a folder with bin/pulumi to use instead of the pinned CLI
  VERTEX_DIFFUSION_PYTHON      a Python that has the packages of scripts/toolchain/python
  VERTEX_DIFFUSION_GCP_PLUGIN  "official" or "stand-in": insist on one
`;

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (options.plan) {
    const plans = await planToolchain();
    process.stdout.write(
      options.json
        ? `${JSON.stringify(plans, null, 2)}\n`
        : plans.map((plan) => `${describePlan(plan)}\n`).join(""),
    );
    return;
  }

  const { pulumi, python, gcpPlugin } = await ensureToolchain(terminalReport());
  const found = { pulumi, python: python.python, java: python.java, gcpPlugin };
  process.stdout.write(
    options.json
      ? `${JSON.stringify(found, null, 2)}\n`
      : `Pulumi      ${pulumi.bin}\nPython      ${python.python}\nJava        ${python.java}\n` +
          `gcp plugin  ${gcpPlugin.kind}, ${gcpPlugin.path}\n`,
  );
}

function readOptions(args: readonly string[]): { help: boolean; json: boolean; plan: boolean } {
  const flag = { type: "boolean", default: false } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { help: { ...flag, short: "h" }, json: flag, plan: flag },
    });
    return values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run setup -- --help".`);
  }
}

await runMain(() => main(process.argv.slice(2)));
