import type { Measured, Outcome } from "../../../bench/harness";

/** A contender of one driver process that took so many seconds, the first time cold. */
export function contender(name: string, [first, ...hot]: number[]): Measured {
  const sample = (kind: "first" | "hot") => (totalSeconds: number) => {
    return { kind, fork: 1, totalSeconds, cpuSeconds: 2, othersCpuSeconds: 0, disturbed: false };
  };
  return {
    name,
    rounds: [0],
    startUpSeconds: 0.5,
    oneShotSeconds: 0.5 + first,
    medianSeconds: 1,
    forks: [{ startUpSeconds: 0.5, state: "steady", slope: 0, peakMemoryBytes: 2 ** 30 }],
    versions: { [name]: "1.2" },
    samples: [sample("first")(first), ...hot.map(sample("hot"))],
    peakMemoryBytes: 2 ** 30,
  };
}

export function outcome(contenders: Outcome["contenders"]): Outcome {
  return {
    title: "some work",
    plan: {},
    contenders,
    host: { system: "Linux 6", cpu: "a processor", cores: 2, memoryBytes: 2 ** 33 },
  };
}
