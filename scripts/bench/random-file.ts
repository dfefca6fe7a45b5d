import { randomFillSync } from "node:crypto";
import { open } from "node:fs/promises";

const BLOCK_BYTES = 2 ** 20;

/** So many random bytes behind a head: no disk and no connection can make them fewer. */
export async function writeRandomFile(
  path: string,
  sizeBytes: number,
  head = Buffer.alloc(0),
): Promise<void> {
  const file = await open(path, "w");
  await file.write(head);
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let left = sizeBytes; left > 0; left -= BLOCK_BYTES) {
    randomFillSync(block);
    await file.write(block, 0, Math.min(left, BLOCK_BYTES));
  }
  // Written back now, not under the first of the measurements.
  await file.sync();
  await file.close();
}
