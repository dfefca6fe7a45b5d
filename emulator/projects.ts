import { createHash } from "node:crypto";

/**
 * A project's number. Resources are named by it, as Google does, whether the request gave id or number; here it follows
 * from the id, so the same id has the same number on every machine.
 */
export function projectNumberOf(project: string): string {
  if (/^[0-9]+$/.test(project)) return project;
  const digest = createHash("sha256").update(project).digest();
  return String(100_000_000_000 + (digest.readUIntBE(0, 6) % 900_000_000_000));
}
