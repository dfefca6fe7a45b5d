import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/**
 * The folder for what is worth keeping between clones: `$XDG_CACHE_HOME/vertex-diffusion`, or
 * `~/.cache/vertex-diffusion` where that is unset or, as its specification asks, not absolute.
 */
export function cacheFolder(
  env: NodeJS.ProcessEnv = process.env,
  home: string = homedir(),
): string {
  const base = env["XDG_CACHE_HOME"];
  const root = base !== undefined && isAbsolute(base) ? base : join(home, ".cache");
  return join(root, "vertex-diffusion");
}
