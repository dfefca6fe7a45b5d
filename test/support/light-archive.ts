import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ZipArchive } from "archiver";

const HANDLER = join(import.meta.dirname, "..", "fixtures", "light-handler", "handler.py");
const MANIFEST = {
  createdOn: "01/01/2026 00:00:00",
  runtime: "python",
  archiverVersion: "0.12.0",
  model: { modelName: "model", handler: "handler.py", modelVersion: "1.0" },
};

/** The bytes of a model.mar whose handler loads nothing and echoes, or fails when it is loaded. */
export async function packLightArchive(
  options: { readonly failAtLoad?: boolean } = {},
): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "light-archive-"));
  try {
    const file = join(folder, "model.mar");
    const zip = new ZipArchive();
    zip.file(HANDLER, { name: "handler.py" });
    zip.append(JSON.stringify(MANIFEST), { name: "MAR-INF/MANIFEST.json" });
    if (options.failAtLoad === true) zip.append("yes", { name: "fail-at-load" });
    await Promise.all([zip.finalize(), pipeline(zip, createWriteStream(file))]);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
