import * as fc from "fast-check";
import { expect, it } from "vitest";
import { listeners } from "../../../infra/targets/local/place";
import { ports, sparkDriverBlock } from "../../../infra/settings/ports";

it("listens at the ports that everybody knows when nothing is shifted", () => {
  const { minio, sparkMaster, ray } = ports(0);
  expect(minio).toEqual({ api: 9000, console: 9001 });
  expect(sparkMaster).toEqual({ rpc: 7077, ui: 8080 });
  expect(ray).toMatchObject({ gcs: 6379, dashboard: 8265, client: 10001 });
});

it("gives every listener, worker and driver a port of its own, within range", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40_000 }),
      fc.integer({ min: 1, max: 16 }),
      (offset, workers) => {
        const { sparkDriver } = ports(offset);
        const range = (first: number, count: number) =>
          Array.from({ length: count }, (_, n) => first + n);
        const all = [
          ...listeners(offset, workers).map(({ port }) => port),
          ...sparkDriver.flatMap((first) => range(first, sparkDriverBlock)),
        ];
        expect(new Set(all).size).toBe(all.length);
        expect(Math.min(...all)).toBeGreaterThan(1023);
        expect(Math.max(...all)).toBeLessThan(65_536);
      },
    ),
  );
});

it("names the service and the purpose of each port", () => {
  for (const { service, purpose } of listeners(0, 2)) {
    expect(service).toMatch(/^(minio|toxiproxy|spark-master|spark-worker-[12]|ray-head)$/);
    expect(purpose).not.toBe("");
  }
});
