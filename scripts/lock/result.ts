/** How the making of a lock ended. */
export interface LockResult {
  /** Path of the lock, relative to the project's folder. */
  readonly lock: string;
  readonly changed: boolean;
  /** What it holds: "21 packages in 31 wheels, 54.1 MB, for Python 3.9, 3.10, 3.11" */
  readonly summary: string;
  /** What was asked for and could not be locked, and why; the command then ends with an error. */
  readonly problems?: readonly string[];
}
