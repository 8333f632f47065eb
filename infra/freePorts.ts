import * as net from "node:net";

/** Whether a port of the loopback interface can be listened on now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}

/** Whether each of `count` ports from `first` on is free. */
export async function areFree(first: number, count: number): Promise<boolean> {
  const all = await Promise.all(Array.from({ length: count }, (_, n) => isFree(first + n)));
  return all.every(Boolean);
}
