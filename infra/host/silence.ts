import * as net from "node:net";

/**
 * Why nobody answers at an address.
 *
 * @param place `host:port`
 * @returns undefined if somebody does
 */
export function silenceAt(place: string): Promise<string | undefined> {
  const [host, port] = place.split(":");
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port), timeout: 5_000 });
    const end = (problem?: string) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end("no answer"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
