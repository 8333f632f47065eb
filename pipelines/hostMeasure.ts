import type { HostMark, HostMeasure } from "../infra/executor";
import type { RunResult } from "./result";

/** CPU seconds up to the moment at which a job announced a phase. */
export interface PhaseMark extends HostMark {
  readonly phase: string;
}

/**
 * Puts what was measured from outside in the place of what a job could see from inside its own
 * container, where its engine's other containers count as others.
 *
 * @param phases in the order of their announcement; a sample lasts from its phase to the next one
 */
export function withHostMeasure(
  result: RunResult,
  measure: HostMeasure,
  phases: readonly PhaseMark[],
): RunResult {
  const { memoryMeasure, ...totals } = measure;
  const cpu = cpuOfSamples(phases);
  return {
    ...result,
    ...totals,
    configuration: { ...(result.configuration as object), memoryMeasure },
    samples: result.samples.map((sample, at) => ({ ...sample, ...cpu[at] })),
  };
}

/** The CPU of the samples that a result has: the first execution, and all that are counted. */
function cpuOfSamples(phases: readonly PhaseMark[]): HostMark[] {
  const executions = phases
    .map((mark, at) => ({ mark, next: phases[at + 1] }))
    .filter(({ mark }) => /^(warm-up|sample \d)/.test(mark.phase));
  return executions
    .filter(({ mark }, at) => at === 0 || mark.phase !== "warm-up")
    .map(({ mark, next = mark }) => ({
      cpuSeconds: difference(mark.cpuSeconds, next.cpuSeconds),
      othersCpuSeconds: difference(mark.othersCpuSeconds, next.othersCpuSeconds),
    }));
}

function difference(before: number, after: number): number {
  return Math.round(Math.max(0, after - before) * 1000) / 1000;
}
