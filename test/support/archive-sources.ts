import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import type { ArchivePlan } from "../../providers/archive-plan.ts";

const LIGHT_HANDLER = join(import.meta.dirname, "..", "fixtures", "light-handler", "handler.py");
const MANIFEST = JSON.stringify({
  createdOn: "01/01/1980 00:00:00",
  runtime: "python",
  model: { modelName: "model", handler: "handler.py", modelVersion: "1.0" },
  archiverVersion: "0.12.0",
});

/** A folder that stands for the project's: archives are planned and built in it while the process is there. */
export interface ArchiveSources {
  /** Writes a file and a plan of handler.py and this file, with others beside the archive; answers what ArchiveUpload is told. */
  plan(
    content: string | Buffer,
    name?: string,
    beside?: Readonly<Record<string, string | Buffer>>,
  ): { digest: string; planPath: string };
  /** Writes a source file anew behind the plan's back. */
  overwrite(name: string, content: string): void;
  remove(): void;
}

/** Enters a new folder until `remove`. The handler in its archives loads nothing and echoes. */
export function enterArchiveSources(): ArchiveSources {
  const before = process.cwd();
  const root = mkdtempSync(join(tmpdir(), "archive-sources-"));
  process.chdir(root);
  writeFileSync("handler.py", readFileSync(LIGHT_HANDLER));
  return {
    plan: (content, name = "note.txt", others = {}) => {
      writeFileSync(name, content);
      for (const [path, bytes] of Object.entries(others)) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
      const toEntry = (path: string) => {
        const bytes = readFileSync(path);
        return { path, source: path, size: bytes.length, sha256: sha256(bytes) };
      };
      const entries = ["handler.py", name].map(toEntry);
      const beside = Object.keys(others).map(toEntry);
      const digest = sha256(JSON.stringify([...entries, ...beside]));
      const plan: ArchivePlan = { schema: 1, digest, manifest: MANIFEST, entries, beside };
      const planPath = `${digest}.json`;
      writeFileSync(planPath, JSON.stringify(plan));
      return { digest, planPath };
    },
    overwrite: (name, content) => writeFileSync(name, content),
    remove: () => {
      process.chdir(before);
      rmSync(root, { recursive: true });
    },
  };
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
