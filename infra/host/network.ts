import * as http from "node:http";
import * as net from "node:net";

/** The body of a GET, or undefined where nothing answers 200 in time. */
export function get(url: string, timeoutMs = 2_000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, timeout: timeoutMs }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => resolve(response.statusCode === 200 ? text : undefined));
      response.on("error", () => resolve(undefined));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
  });
}

/**
 * The JSON of a GET, or undefined where nothing answers 200 with JSON in time: a service that is
 * still starting may answer with a page.
 */
export async function getJson(url: string): Promise<unknown> {
  try {
    return JSON.parse((await get(url)) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether a TCP connection to a port of this machine is accepted. */
export async function accepts(port: number, timeoutMs = 2_000): Promise<boolean> {
  return (await silenceAt(`127.0.0.1:${port}`, timeoutMs)) === undefined;
}

/**
 * Why nobody answers at an address.
 *
 * @param place `host:port`
 * @returns undefined if somebody does
 */
export function silenceAt(place: string, timeoutMs = 5_000): Promise<string | undefined> {
  const [host, port] = place.split(":");
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port), timeout: timeoutMs });
    const end = (problem?: string) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end("no answer"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
