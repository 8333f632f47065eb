import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import type { TestStack } from "../e2e/stack";

/** What a network does to the bytes that a store answers with. */
export type Weather =
  | { readonly kind: "calm" }
  /** Each chunk arrives up to so many milliseconds late, in order. */
  | { readonly kind: "delays"; readonly most: number }
  /** A share of connections is reset after up to so many bytes. */
  | { readonly kind: "drops"; readonly share: number; readonly bytes: number }
  /** A share of connections is closed in good order after up to so many bytes. */
  | { readonly kind: "truncates"; readonly share: number; readonly bytes: number }
  /** Nobody answers any more. */
  | { readonly kind: "gone" };

/** A network of the test's own between a stack's jobs and its store. */
export class StoreProxy {
  weather: Weather = { kind: "calm" };
  /** Connections that were cut. */
  cut = 0;
  private readonly open = new Set<net.Socket>();
  private readonly server = net.createServer({ allowHalfOpen: true }, (client) =>
    this.connect(client),
  );

  /** @param random decides what happens to a connection */
  constructor(
    private readonly store: number,
    private readonly random: () => number,
  ) {}

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return (this.server.address() as net.AddressInfo).port;
  }

  close(): void {
    this.server.close();
    for (const socket of this.open) socket.destroy();
  }

  /** Cuts what is connected, and every connection from now on. */
  goAway(): void {
    this.weather = { kind: "gone" };
    for (const socket of this.open) socket.destroy();
  }

  private connect(client: net.Socket): void {
    const { weather } = this;
    if (weather.kind === "gone") return void client.destroy();
    const store = net.connect({ port: this.store, host: "127.0.0.1", allowHalfOpen: true });
    const end = () => [client, store].forEach((socket) => socket.destroy());
    for (const socket of [client, store]) {
      this.open.add(socket);
      socket.on("error", end).on("close", () => {
        this.open.delete(socket);
        end();
      });
    }
    client.on("data", (chunk) => store.write(chunk)).on("end", () => store.end());

    const cuts = weather.kind === "drops" || weather.kind === "truncates";
    let left =
      cuts && this.random() < weather.share ? Math.floor(this.random() * weather.bytes) : Infinity;
    let earlier = Promise.resolve();
    const late = async (action: () => void) => {
      const wait = weather.kind === "delays" ? this.random() * weather.most : 0;
      if (wait === 0) return action();
      earlier = earlier.then(() => new Promise((resolve) => setTimeout(resolve, wait)));
      await earlier;
      action();
    };
    store.on("data", (chunk: Buffer) => {
      if (left === 0) return;
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      void late(() => client.write(passed));
      if (left > 0) return;
      this.cut += 1;
      if (weather.kind === "drops") client.resetAndDestroy();
      else client.end(() => end());
    });
    store.on("end", () => void late(() => client.end()));
  }
}

/**
 * Sends jobs and uploads of a stack to another port: they ask the record that the service's step
 * left, which is no input of a resource and in no run key.
 *
 * @returns takes it back
 */
export function redirectStore(stack: TestStack, port: number): () => void {
  const file = path.join(stack.folder, "records", "minio.json");
  const before = fs.readFileSync(file, "utf8");
  const standing = JSON.parse(before) as { result: Record<string, unknown> };
  standing.result.endpoint = `http://127.0.0.1:${port}`;
  fs.writeFileSync(file, JSON.stringify(standing));
  return () => fs.writeFileSync(file, before);
}
