/** Something the person at the keyboard can put right: printed as its message alone, without a stack. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** What a script prints for an error: the sentence alone, or the stack when the error is a bug. */
export function describeError(error: unknown): string {
  if (error instanceof UserError) {
    return error.message;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${stack}\nThis is a bug in vertex-diffusion: please report it with the lines above.`;
}

/**
 * Runs a script's main function and turns its result into the exit code of the process: the number
 * it returns, 0 for none, 1 for an error, which is printed on stderr.
 */
export async function runMain(main: () => Promise<number | void>): Promise<void> {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
  }
}
