import * as net from "node:net";
import { describe, expect, it } from "vitest";
import { checkPorts, published, urlOf } from "../../../infra/docker/published";

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
    const server = net.createServer();
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port)),
    );
    const offset = port - 9000;
    await expect(checkPorts(offset, () => false)).rejects.toThrow(`port ${port} (MinIO's S3 API)`);
    await expect(checkPorts(offset, (role) => role === "minio")).resolves.toBeUndefined();
    server.close();
  });
});
