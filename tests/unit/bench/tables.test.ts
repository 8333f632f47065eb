import { describe, expect, it } from "vitest";
import { memoryTables } from "../../../bench/benchmarks/imageMemory";
import { hostTables } from "../../../bench/benchmarks/twoHosts";
import type { Sample } from "../../../bench/harness";
import type { RunResult } from "../../../results/result";
import { contender, outcome } from "./outcome";

const { host } = outcome([]);

/** A run's result with samples of so many seconds, the first time cold. */
function result(run: string, seconds: number[], peakMemoryBytes = 2 ** 30): RunResult {
  const [engine, workload] = run.split("/");
  const { samples, ...measured } = { ...contender(engine, seconds), peakMemoryBytes };
  const others = { key: "k", attempt: "a", rows: 1, rejected: 0, outputUri: "s3://b/p/" };
  const told = { device: "cpu", verified: true, checksum: "c", host } as const;
  const plain = samples.map((sample) => ({ ...sample }));
  return { ...others, ...measured, ...told, samples: plain, engine, workload };
}

const cells = (rows: readonly (readonly string[])[], name: string) =>
  rows.find(([first]) => first === name)!;

it("image-memory's tables compare ten times the photographs with the fewer ones", () => {
  const found = new Map(
    ["spark", "ray", "daft", "plain"].flatMap((engine, at) =>
      ["image-predictions", "image-embeddings"].flatMap((workload) => {
        const run = `${engine}/${workload}`;
        return [
          [`${run} 50`, result(run, [1], 2 ** 30)] as const,
          [`${run} 500`, result(run, [1], (at + 1) * 2 ** 30)] as const,
        ];
      }),
    ),
  );
  const tables = memoryTables(50, found);
  expect(tables.map(({ title }) => title)).toEqual([
    "image-predictions, peak memory",
    "image-embeddings, peak memory",
  ]);
  for (const { rows, versions } of tables) {
    expect(rows[0]).toEqual(["", "50 photos", "500 photos", "times"]);
    expect(cells(rows, "ray")).toEqual(["ray", "1.00 GiB", "2.00 GiB", "2.00"]);
    expect(rows.length).toBe(5);
    expect(Object.keys(versions)).toEqual(["spark", "ray", "daft", "plain"]);
  }
});

describe("two-hosts' tables", () => {
  const found = new Map(
    ["taxi-report", "image-predictions", "image-embeddings"].flatMap((workload) =>
      ["spark", "ray", "daft"].flatMap((engine) => {
        const run = `${engine}/${workload}`;
        return [
          [`${workload} ${engine} 1`, [result(run, [9, 4, 4]), result(run, [8, 4, 4])]] as const,
          [`${workload} ${engine} 2`, [result(run, [9, 2, 2]), result(run, [9, 2, 3])]] as const,
        ];
      }),
    ),
  );
  const notes: string[] = [];
  const bench = { rows: [4_000_000], photos: [200], note: (text: string) => void notes.push(text) };
  const tables = hostTables(bench, found);

  it("have the hot samples of all deployments, two hosts against one", () => {
    const [{ title, rows }] = tables;
    expect(title).toBe("taxi-report, 4,000,000 trips, one host and two");
    const [head, ...body] = rows;
    expect(body.length).toBe(6);
    const two = Object.fromEntries(
      head.map((name, at) => [name, cells(body, "ray, two hosts")[at]]),
    );
    expect(two).toMatchObject({ first: "9.00", median: "2.00", "cores at work": "1.00" });
    expect(two.times).toMatch(/^0\.500 \[.*\] of ray, one host$/);
    expect(cells(body, "ray, one host")[head.indexOf("times")]).toBe("");
  });

  it("take each try for a sample, with the CPU of driver and hosts", () => {
    const tried = new Map(found);
    const one = result("ray/taxi-report", [9, 4]);
    const [first, hot] = one.samples as unknown as Sample[];
    const tries = [4, 6, 8].map((totalSeconds) => {
      return { totalSeconds, cpuSeconds: 0.5, othersCpuSeconds: totalSeconds };
    });
    const samples = [first, { ...hot, ...tries[0], disturbed: true, tries }];
    const disturbed = { ...one, samples: samples.map((sample) => ({ ...sample })) };
    tried.set("taxi-report ray 1", [disturbed, disturbed]);
    const [{ rows }] = hostTables(bench, tried);
    const row = cells(rows, "ray, one host");
    const named = Object.fromEntries(rows[0].map((name, at) => [name, row[at]]));
    expect(named).toMatchObject({ median: "6.00", CPU: "6.50", "cores at work": "1.08" });
  });

  it("say of which processes memory and CPU are", () => {
    expect(notes.join()).toContain("peak memory is the driver's alone");
  });
});
