import { execFileSync } from "node:child_process";
import * as http from "node:http";
import * as net from "node:net";
import { toolEnvironment } from "./environment";
import { attempt } from "./folders";

/**
 * What a program prints, or undefined where it is missing, fails or does not answer in time.
 *
 * @param env the environment; by default with what leads to an interpreter
 */
export function probe(
  argv: readonly string[],
  timeoutMs = 10_000,
  env = toolEnvironment("language"),
): string | undefined {
  const [program, ...args] = argv;
  return attempt(() =>
    execFileSync(program, args, {
      encoding: "utf8",
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "ignore"],
      env,
    }),
  );
}

/** The numbers that a version begins with: `v3.248.0-dev` is [3, 248, 0]. */
export function numbersOf(version: string): number[] {
  const [numbers = ""] = /\d+(\.\d+)*/.exec(version) ?? [];
  return numbers.split(".").map(Number);
}

/** Whether one version comes before another, by as many numbers as the other has. */
export function isOlder(version: string, than: string): boolean {
  const one = numbersOf(version);
  for (const [i, number] of numbersOf(than).entries()) {
    if ((one[i] ?? 0) !== number) return (one[i] ?? 0) < number;
  }
  return false;
}

/** The body of a GET, or undefined where nothing answers 200 in 2 s. */
export function get(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, timeout: 2_000 }, (response) => {
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
 * Why nobody answers at an address.
 *
 * @param place `host:port`
 * @returns undefined if somebody does
 */
export function silenceAt(place: string, timeoutMs = 5_000): Promise<string | undefined> {
  const { hostname, port } = new URL(`tcp://${place}`);
  const host = hostname.replace(/^\[|\]$/g, ""); // of an address of IPv6
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
