/** `npm run predict -- "a prompt"`: asks a stack's endpoint for one picture and writes it to a file. */
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { readOutputs } from "./local/pulumi-runs.ts";
import { fileNameFor, predict, savePicture } from "./prediction.ts";
import type { Instance } from "./prediction.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { DEFAULT_STACK, readChosenStack } from "./toolchain/stack-choice.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const HELP = `Usage: npm run predict -- "a prompt" [options]

Asks the endpoint of a stack for one picture, on the local Vertex AI or on Google Cloud (with application default
credentials).

  --stack S             stack to ask (default: the one last chosen, else local)
  --out FILE            where the picture goes (default: .local/out/<prompt>.png)
  --negative-prompt P   what the picture should not show
  --steps N             denoising steps
  --guidance G          how closely the picture follows the prompt
  --seed N              the same seed gives the same picture
  --width W --height H  size in pixels, multiples of 8
  --json                print {path, bytes, seconds, predictUrl} as JSON
  --help                print this
`;

async function main(args: readonly string[]): Promise<void> {
  checkNode();
  const { values, positionals } = parse(args);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const prompt = positionals.join(" ").trim();
  if (prompt === "")
    throw new UserError(`No prompt given. Example: npm run predict -- "a red circle"`);
  const stack = values.stack ?? (await readChosenStack(PROJECT_ROOT)) ?? DEFAULT_STACK;
  const { predictUrl } = await readOutputs(stack);
  if (typeof predictUrl !== "string") {
    throw new UserError(
      `Stack "${stack}" serves nothing yet. Run "npm run pulumi -- up --stack ${stack}" first.`,
    );
  }
  const started = performance.now();
  const picture = await predict(predictUrl, toInstance(prompt, values));
  const seconds = (performance.now() - started) / 1000;
  const path = values.out ?? join(PROJECT_ROOT, ".local/out", fileNameFor(prompt));
  await savePicture(path, picture);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ path, bytes: picture.length, seconds, predictUrl })}\n`
      : `${relative(process.cwd(), path)}  (${picture.length} bytes, ${seconds.toFixed(1)} s)\n`,
  );
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        stack: { ...text, short: "s" },
        out: text,
        "negative-prompt": text,
        steps: text,
        guidance: text,
        seed: text,
        width: text,
        height: text,
        json: flag,
        help: { ...flag, short: "h" },
      },
    });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run predict -- --help".`);
  }
}

function toInstance(
  prompt: string,
  values: Readonly<Record<string, string | boolean | undefined>>,
): Instance {
  const number = (option: string): number | undefined => {
    const value = values[option];
    if (value === undefined) return undefined;
    const parsed = Number(value);
    if (!Number.isFinite(parsed))
      throw new UserError(`--${option} must be a number, got "${value}".`);
    return parsed;
  };
  const fields = {
    negative_prompt: values["negative-prompt"],
    num_inference_steps: number("steps"),
    guidance_scale: number("guidance"),
    seed: number("seed"),
    width: number("width"),
    height: number("height"),
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { prompt, ...Object.fromEntries(given) };
}

await runMain(() => main(process.argv.slice(2)));
