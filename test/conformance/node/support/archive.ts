import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ZipArchive } from "archiver";

const HANDLER = join(import.meta.dirname, "../../handler/handler.py");
const MANIFEST = {
  createdOn: "01/01/2026 00:00:00",
  runtime: "python",
  archiverVersion: "0.12.0",
  model: { modelName: "model", handler: "handler.py", modelVersion: "1.0" },
};

/** Writes the tests' model.mar into a folder and answers its path. */
export async function packArchive(folder: string): Promise<string> {
  const path = join(folder, "model.mar");
  const zip = new ZipArchive();
  zip.append(await readFile(HANDLER), { name: "handler.py" });
  zip.append(JSON.stringify(MANIFEST), { name: "MAR-INF/MANIFEST.json" });
  await Promise.all([zip.finalize(), pipeline(zip, createWriteStream(path))]);
  return path;
}
