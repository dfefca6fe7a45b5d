import type { ContentHash } from "./content-hash.ts";
import type { DataWriter } from "./persistence.ts";

/** A window of a stream that is kept: bytes before `from` and at or after `to` (both counted in the stream) are dropped. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

const WHOLE: Window = { from: 0, to: Infinity };

/**
 * Writes a body to the end of a data file, one chunk at a time, and hashes it in step: the next chunk is taken from the
 * socket only when this one is on disk, so memory stays constant and the sender is slowed down. Answers the bytes that
 * the body had. When it throws, file and hash hold the same bytes as long as the body, not the disk, failed.
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  target: DataWriter,
  hash: ContentHash,
  window: Window = WHOLE,
): Promise<number> {
  let position = 0;
  for await (const chunk of body) {
    const from = Math.max(0, window.from - position);
    const to = Math.min(chunk.length, window.to - position);
    position += chunk.length;
    if (from >= to) continue;
    const kept = from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
    const written = target.write(kept);
    hash.update(kept);
    await written;
  }
  return position;
}
