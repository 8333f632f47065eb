import * as net from "node:net";
import { describe, expect, it } from "vitest";
import { checkPorts, published, urlOf } from "../../../infra/targets/docker/place";

describe("published ports", () => {
  it("are the seed's, and move together", () => {
    const outside = (offset: number) => published(offset).map(({ external }) => external);
    expect(outside(0)).toEqual([9000, 9001, 8080, 8265, 10001]);
    expect(outside(20000)).toEqual([29000, 29001, 28080, 28265, 30001]);
    expect(published(20000).map(({ internal }) => internal)).toEqual([
      9000, 9001, 8080, 8265, 10001,
    ]);
    expect(urlOf(20000, 9000)).toBe("http://127.0.0.1:29000");
  });

  it("that somebody else has are told before anything is made, unless our own container has them", async () => {
    const offset = await freeOffset();
    const port = 9000 + offset;
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    await expect(checkPorts(offset, () => false)).rejects.toThrow(`port ${port} (MinIO's S3 API)`);
    await expect(checkPorts(offset, (role) => role === "minio")).resolves.toBeUndefined();
    server.close();
  });
});

/** An offset at which all published ports are free, below the ports of outgoing connections. */
async function freeOffset(): Promise<number> {
  for (;;) {
    const offset = 13_000 + Math.floor(Math.random() * 4_000);
    const isFree = await checkPorts(offset, () => false).then(
      () => true,
      () => false,
    );
    if (isFree) return offset;
  }
}
