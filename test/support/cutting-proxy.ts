import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** A door in front of an address that breaks connections while bytes are on their way to it. */
export interface CuttingProxy {
  /** "127.0.0.1:PORT". */
  readonly address: string;
  /** Bytes that clients have sent in all. */
  sentBytes(): number;
  /** Resets the next `times` connections that have sent this many bytes. */
  cut(afterBytes: number, times?: number): void;
  stop(): Promise<void>;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let sent = 0;
  let cuts = 0;
  let cutAfter = Infinity;
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
    client.on("data", (chunk) => {
      arrived += chunk.length;
      sent += chunk.length;
      if (cuts > 0 && arrived > cutAfter) {
        cuts -= 1;
        end();
        return;
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
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
