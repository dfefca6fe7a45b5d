import { UserError } from "../toolchain/user-error.ts";

/** Aborted by Ctrl-C: what runs then ends, the emulator is stopped and its files are removed. */
export function endingSignal(): AbortSignal {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => ending.abort(new UserError("The benchmark was interrupted.")));
  }
  return ending.signal;
}
