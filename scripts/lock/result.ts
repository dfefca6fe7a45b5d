/** How the making of a lock ended. */
export interface LockResult {
  /** Path of the lock, relative to the project's folder. */
  readonly lock: string;
  readonly changed: boolean;
  /** "handler/demo-model: 14 files, 7.3 MB" */
  readonly summary: string;
}
