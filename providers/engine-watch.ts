import { connect } from "node:net";

/** How often a process asks whether its engine still listens. Two misses in a row end it. */
const WATCH_INTERVAL_MS = 2_000;

let isWatching = false;

/**
 * Ends this process once nothing listens at its engine's address, "127.0.0.1:34567": kill -9 of the CLI leaves it running
 * otherwise, and nobody may change Google behind the back of the next `up`.
 */
export function endWithEngine(address: string): void {
  if (isWatching) return;
  isWatching = true;
  let misses = 0;
  setInterval(() => {
    void listens(address).then((alive) => {
      misses = alive ? 0 : misses + 1;
      if (misses >= 2) process.exit(1);
    });
  }, WATCH_INTERVAL_MS).unref();
}

function listens(address: string): Promise<boolean> {
  const at = address.lastIndexOf(":");
  return new Promise((resolve) => {
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_500, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
