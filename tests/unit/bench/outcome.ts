import type { Measured, Outcome } from "../../../bench/harness";

/** A contender that took so many seconds, the first time cold. */
export function contender(name: string, [first, ...hot]: number[]): Measured {
  const sample = (kind: "first" | "hot") => (totalSeconds: number) => {
    return { kind, totalSeconds, cpuSeconds: 2, othersCpuSeconds: 0, disturbed: false };
  };
  return {
    name,
    startUpSeconds: 0.5,
    versions: { [name]: "1.2" },
    samples: [sample("first")(first), ...hot.map(sample("hot"))],
    peakMemoryBytes: 2 ** 30,
    verified: {},
  };
}

export function outcome(contenders: Outcome["contenders"]): Outcome {
  return {
    title: "some work",
    rounds: 3,
    contenders,
    host: { system: "Linux 6", cpu: "a processor", cores: 2, memoryBytes: 2 ** 33 },
  };
}
