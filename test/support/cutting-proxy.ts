import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A door in front of an address that breaks connections, or changes bytes, while they are on their way to it. */
export interface CuttingProxy {
  /** "127.0.0.1:PORT". */
  readonly address: string;
  /** Bytes that clients have sent in all. */
  sentBytes(): number;
  /** Resets the next `times` connections that have sent this many bytes. */
  cut(afterBytes: number, times?: number): void;
  /** Changes one byte of the next connection that has sent this many. */
  flip(afterBytes: number): void;
  stop(): Promise<void>;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let sent = 0;
  let cuts = 0;
  let cutAfter = Infinity;
  let flipAfter = Infinity;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let arrived = 0;
    const end = (): void => {
      client.resetAndDestroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("data", (chunk: Buffer) => {
      arrived += chunk.length;
      sent += chunk.length;
      if (cuts > 0 && arrived > cutAfter) {
        cuts -= 1;
        end();
        return;
      }
      if (arrived > flipAfter) {
        flipAfter = Infinity;
        // In the middle: at its beginning stands the length of a piece of the body.
        const at = Math.floor(chunk.length / 2);
        chunk.writeUInt8(chunk.readUInt8(at) ^ 1, at);
      }
      if (!upstream.write(chunk)) client.pause();
    });
    upstream.on("drain", () => client.resume());
    upstream.pipe(client);
    client.on("end", () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sentBytes: () => sent,
    cut: (afterBytes, times = 1) => {
      cutAfter = afterBytes;
      cuts = times;
    },
    flip: (afterBytes) => {
      flipAfter = afterBytes;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
