import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lockWeights } from "../../lock/weights.ts";
import { silentReport } from "../../toolchain/report.ts";
import { writeRandomFile } from "../random-file.ts";

/** The one long file of the weights, in the project's folder. */
export const LONG_FILE = "weights/unet/model.safetensors";

/** Files that were written this short a time before they are hashed are hashed again next time. */
const SETTLED_MS = 2_500;

/** Writes random weights into a project's folder, which no compression makes shorter, and locks them. */
export async function writeRandomWeights(root: string, sizeBytes: number): Promise<void> {
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  await write("weights/model_index.json", '{"unet": ["diffusers", "UNet2DConditionModel"]}');
  await write("weights/unet/config.json", "{}");
  const header = JSON.stringify({
    a: { dtype: "U8", shape: [sizeBytes], data_offsets: [0, sizeBytes] },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const head = Buffer.concat([length, Buffer.from(header)]);
  await writeRandomFile(join(root, LONG_FILE), sizeBytes, head);
  await delay(SETTLED_MS);
  await lockWeights({ root, upgrade: false }, silentReport);
}
