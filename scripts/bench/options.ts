import { parseArgs } from "node:util";
import type { ParseArgsOptionsConfig } from "node:util";
import { UserError } from "../toolchain/user-error.ts";

const FLAG = { type: "boolean", default: false } as const;

/** What every benchmark takes. */
const COMMON = { quick: FLAG, json: FLAG, help: { ...FLAG, short: "h" } } as const;

/** The lines of `--help` that every benchmark has. */
export const COMMON_HELP = `  --quick      few rounds, small files: whether it runs, not how fast
  --json       print machine and figures as JSON
  --help       print this

Files lie in the temporary folder: set TMPDIR to measure another disk.`;

/**
 * The options of `npm run bench:NAME`: its own beside --quick, --json and --help.
 *
 * @throws UserError for an option that there is not.
 */
export function readOptions<T extends ParseArgsOptionsConfig>(
  benchmark: string,
  args: readonly string[],
  own: T,
) {
  try {
    return parseArgs({ args: [...args], options: { ...COMMON, ...own } }).values;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new UserError(`${why}. See "npm run bench:${benchmark} -- --help".`);
  }
}

/**
 * A size as people write it, in bytes: "64MiB", "1GiB".
 *
 * @throws UserError
 */
export function parseSize(text: string): number {
  const [, number, unit] = /^(\d+)(KiB|MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(number) * { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[unit as "KiB"];
  if (bytes > 0) return bytes;
  throw new UserError(`A size is a number of KiB, MiB or GiB, such as "64MiB"; got "${text}".`);
}
