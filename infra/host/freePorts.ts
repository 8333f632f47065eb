import * as net from "node:net";
import { UserError } from "../contracts/errors";
import { check, type StackContext } from "./checks";
import { whoListens } from "./processTable";
import { maxPortOffset, sparkDriverBlock } from "../settings/ports";

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

async function areFree(ports: readonly number[]): Promise<boolean> {
  return (await Promise.all(ports.map(isFree))).every(Boolean);
}

/**
 * The next hundred after a port offset with which a stack could stand here now; after the last, the
 * first.
 *
 * @param portsAt all ports that the stack would use with an offset
 * @param reserved ports that somebody may take at any time
 * @returns undefined where no offset does
 */
export async function nextFreeOffset(
  offset: number,
  portsAt: (offset: number) => readonly number[],
  reserved: ReadonlyMap<number, unknown> = new Map(),
): Promise<number | undefined> {
  const hundreds = maxPortOffset / 100 + 1;
  for (let n = 1; n < hundreds; n++) {
    const next = 100 * ((Math.floor(offset / 100) + n) % hundreds);
    const wanted = portsAt(next);
    if (wanted.some((port) => reserved.has(port))) continue;
    if (await areFree(wanted)) return next;
  }
  return undefined;
}

/** A port that a stack needs, and somebody else has. */
export interface TakenPort {
  readonly port: number;
  readonly purpose: string;
  /** e.g. `node (pid 12)` */
  readonly who: string;
  /** An offset with free ports, if there is one. */
  readonly freeOffset?: number;
}

export function holderOf(port: number): string {
  const process = whoListens(port);
  return process ? `${process.name} (pid ${process.pid})` : "another user's process";
}

export function portTaken(taken: TakenPort, portOffset: number): UserError {
  const { port, purpose, who, freeOffset: free } = taken;
  return new UserError(
    `port ${port} is taken by ${who}`,
    `with portOffset ${portOffset} it is for ${purpose}`,
    free === undefined
      ? "end that process: no portOffset is free"
      : `end that process, or move this stack's ports: --config portOffset=${free} ` +
          `(pulumi config set portOffset ${free}) is free`,
  );
}

/** @param observe finds the first port of what must be started that is taken */
export const portsCheck = (observe: (context: StackContext) => Promise<TakenPort | undefined>) =>
  check({
    id: "ports",
    name: "no other program has a port of the stack",
    blocks: true,
    after: ["docker"],
    observe,
    judge: (taken, { settings }) => (taken ? [portTaken(taken, settings.portOffset)] : []),
  });

/** The first block of ports that a driver can have. */
export async function freeBlock(firsts: readonly number[]): Promise<number> {
  for (const first of firsts) {
    const block = Array.from({ length: sparkDriverBlock }, (_, n) => first + n);
    if (await areFree(block)) return first;
  }
  throw new UserError(
    `no ${sparkDriverBlock} free ports in a row from ${firsts.join(", ")} on`,
    "a Spark driver listens on its own ports",
    "end other drivers, or set another portOffset",
  );
}
