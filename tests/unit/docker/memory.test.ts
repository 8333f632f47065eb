import { describe, expect, it } from "vitest";
import { parseReading } from "../../../infra/docker/memory";
import { withHostMeasure } from "../../../pipelines/hostMeasure";
import type { RunResult } from "../../../pipelines/result";

describe("a reading of a container", () => {
  // version, used, file cache, cpu, then the machine's user nice system idle iowait irq softirq steal
  it("counts memory without the file cache, and CPU in seconds (cgroup 1)", () => {
    expect(parseReading("1 1000 300 2500000000 100 50 50 9999 7 10 20 30 0 0")).toEqual({
      memory: 700,
      cpu: 2.5,
      machine: 2.6,
    });
  });

  it("reads microseconds with cgroup 2", () => {
    expect(parseReading("2 1000 0 2500000 100 0 0 0 0 0 0 0")?.cpu).toBe(2.5);
  });

  it.each(["", "bash: no such file", "1 2 3"])("is nothing else: %j", (line) => {
    expect(parseReading(line)).toBeUndefined();
  });
});

describe("a result that was measured from outside", () => {
  const result = {
    samples: [
      { kind: "first", totalSeconds: 9, cpuSeconds: 1, othersCpuSeconds: 8 },
      { kind: "hot", totalSeconds: 2, cpuSeconds: 1, othersCpuSeconds: 1 },
      { kind: "hot", totalSeconds: 2, cpuSeconds: 1, othersCpuSeconds: 1 },
    ],
    peakMemoryBytes: 1,
    configuration: { memoryMeasure: "pss", cores: 2 },
  } as unknown as RunResult;
  const measure = {
    memoryMeasure: "cgroup",
    peakMemoryBytes: 500,
    idleMemoryBytes: 100,
    cpuSeconds: 30,
    othersCpuSeconds: 3,
  } as const;
  const mark = (phase: string, cpuSeconds: number, othersCpuSeconds = 0) => ({
    phase,
    cpuSeconds,
    othersCpuSeconds,
  });

  it("has the containers' memory and says so", () => {
    expect(withHostMeasure(result, measure, [])).toMatchObject({
      peakMemoryBytes: 500,
      idleMemoryBytes: 100,
      cpuSeconds: 30,
      configuration: { memoryMeasure: "cgroup", cores: 2 },
    });
  });

  it("has the CPU of each sample that is reported, not of further warm-ups", () => {
    const { samples } = withHostMeasure(result, measure, [
      mark("start-up", 1),
      mark("warm-up", 4),
      mark("warm-up", 14, 1),
      mark("sample 1/2", 20, 1),
      mark("sample 2/2", 22.5, 2),
      mark("verify", 26, 2.25),
    ]);
    expect(
      samples.map(({ cpuSeconds, othersCpuSeconds }) => [cpuSeconds, othersCpuSeconds]),
    ).toEqual([
      [10, 1],
      [2.5, 1],
      [3.5, 0.25],
    ]);
  });

  it("has them without a warm-up too", () => {
    const phases = [
      mark("sample 1/3", 0),
      mark("sample 2/3", 5),
      mark("sample 3/3", 6),
      mark("verify", 8),
    ];
    expect(
      withHostMeasure(result, measure, phases).samples.map(({ cpuSeconds }) => cpuSeconds),
    ).toEqual([5, 1, 2]);
  });
});
