/** `npm run predict -- "a prompt"`: asks a stack's endpoint for pictures and writes them to files. */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { readOutputs } from "./local/pulumi-runs.ts";
import {
  describeFlags,
  parseArgsOptions,
  readRequestFields,
  schemaPath,
  toInstance,
} from "./predict/instance-options.ts";
import type { RequestFields } from "./predict/instance-options.ts";
import { fileNameFor, pathsFor, predictAll, savePicture } from "./prediction.ts";
import { PROJECT_ROOT } from "./toolchain/project.ts";
import { DEFAULT_STACK, readChosenStack } from "./toolchain/stack-choice.ts";
import { UserError, runMain } from "./toolchain/user-error.ts";
import { checkNode } from "./toolchain/versions.ts";

const help = (fields: RequestFields) => `Usage: npm run predict -- "a prompt" [options]

Asks the endpoint of a stack for pictures, on the local Vertex AI or on Google Cloud (with application default
credentials).

  --stack S             stack to ask (default: the one last chosen, else local)
  --out FILE            where the picture goes (default: .local/out/<prompt>.png); several get -1, -2 ...
${describeFlags(fields)}
  --json                print {path, bytes, seconds, predictUrl, pictures, details} as JSON
  --schema              print the JSON Schema of an instance
  --help                print this
`;

async function main(args: readonly string[]): Promise<void> {
  checkNode();
  const { values, positionals } = parse(args);
  const fields = readRequestFields(PROJECT_ROOT);
  if (values.help) {
    process.stdout.write(help(fields));
    return;
  }
  if (values.schema) {
    process.stdout.write(readFileSync(schemaPath(PROJECT_ROOT)));
    return;
  }
  const prompt = positionals.join(" ").trim();
  if (prompt === "")
    throw new UserError(`No prompt given. Example: npm run predict -- "a red circle"`);
  const instance = toInstance(prompt, values, fields);
  const stack = values.stack ?? (await readChosenStack(PROJECT_ROOT)) ?? DEFAULT_STACK;
  const { predictUrl } = await readOutputs(stack);
  if (typeof predictUrl !== "string") {
    throw new UserError(
      `Stack "${stack}" serves nothing yet. Run "npm run pulumi -- up --stack ${stack}" first.`,
    );
  }
  const started = performance.now();
  const { pictures, details } = await predictAll(predictUrl, instance);
  const seconds = (performance.now() - started) / 1000;
  const format = String(instance["image_format"] ?? "png");
  const out = values.out ?? join(PROJECT_ROOT, ".local/out", fileNameFor(prompt, format));
  const saved = pathsFor(out, pictures.length).map((path, index) => ({
    path,
    picture: pictures[index] ?? Buffer.alloc(0),
  }));
  for (const { path, picture } of saved) await savePicture(path, picture);
  const files = saved.map(({ path, picture }) => ({ path, bytes: picture.length }));
  if (values.json) {
    const answer = { ...files[0], seconds, predictUrl, pictures: files, details };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
    return;
  }
  for (const { path, bytes } of files) {
    const where = relative(process.cwd(), path);
    process.stdout.write(`${where}  (${bytes} bytes, ${seconds.toFixed(1)} s)\n`);
  }
  if (details !== undefined) process.stdout.write(`${JSON.stringify(details, null, 2)}\n`);
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
        ...parseArgsOptions(),
        json: flag,
        schema: flag,
        help: { ...flag, short: "h" },
      },
    });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run predict -- --help".`);
  }
}

await runMain(() => main(process.argv.slice(2)));
