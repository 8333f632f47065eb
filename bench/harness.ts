import { stackFiles } from "../infra/stack/files";
import { executorOf } from "../infra/targets";
import { runJob } from "../pipelines/job";
import { readResult } from "../results/outcome";
import type { RunResult } from "../results/result";
import { center, intervalOf, median, ratioOf } from "../results/statistics";

/** One that takes part: a run's job, or a program (bench/harness.py). */
export interface Contender {
  readonly name: string;
  /** The one that this one is compared with. */
  readonly against?: string;
  readonly [more: string]: unknown;
}

/** What bench/harness.py tells of a contender: the measured figures, as a run's result has them. */
export type Measured = Pick<RunResult, "samples" | "forks" | "oneShotSeconds" | "medianSeconds"> & {
  readonly name: string;
  /** In which round each driver process took its turns. */
  readonly rounds: readonly number[];
  readonly startUpSeconds: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly peakMemoryBytes: number;
};

/** How many samples each contender takes: inputs of a run, as engine_comparison/samples.py has them. */
export type Plan = Readonly<Record<string, string>>;

/** One table: contenders that did the same work, in turn. */
export interface Comparison {
  readonly title: string;
  /** What a contender does in a sample, for rates: `{ amount: 1000, unit: "images" }`. */
  readonly work?: { readonly amount: number; readonly unit: string };
  readonly plan: Plan;
  readonly contenders: readonly Contender[];
}

export interface Host {
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
}

export type Outcome = Omit<Comparison, "contenders"> & {
  readonly contenders: readonly (Measured & Pick<Contender, "against">)[];
  readonly host: Host;
};

/**
 * Has the contenders take their samples.
 *
 * @param stop aborted: the contenders are ended
 * @throws UserError when one fails, or an output of it is not right
 */
export async function measure(
  stack: string,
  { contenders, ...comparison }: Comparison,
  tell: (phase: string) => void,
  stop: AbortSignal,
): Promise<Outcome> {
  const { plan, title } = comparison;
  const result = await runJob(await executorOf(stack), {
    module: "bench.harness",
    cluster: "none",
    spec: { plan, contenders },
    seconds: null,
    log: stackFiles(stack).log("bench"),
    onPhase: (phase) => tell(`${title}: ${phase}`),
    stop,
  });
  const found = result as unknown as { contenders: Measured[]; host: Host };
  const against = new Map(contenders.map((one) => [one.name, one.against]));
  return {
    ...comparison,
    contenders: found.contenders.map((one) => ({ ...one, against: against.get(one.name) })),
    host: found.host,
  };
}

/** A contender's row of a table: all that is shown of its samples. */
export type Figures = ReturnType<typeof figuresOf>[number];

/** The figures of an outcome, in the order of its contenders, by the code that reads a run's result. */
export function figuresOf({ contenders, work, host }: Omit<Outcome, "plan">) {
  const read = new Map(
    contenders.map((one) => [one.name, readResult({ ...one, host } as unknown as RunResult)]),
  );
  return contenders.map((one) => {
    const { name, against, rounds, startUpSeconds, peakMemoryBytes, forks, samples } = one;
    const { measured, counted, state, oneShot } = read.get(name)!;
    const other = against === name ? undefined : contenders.find((each) => each.name === against);
    // Between rounds the machine may have become another one.
    const beside =
      other && read.get(other.name)!.measured.filter((_, at) => rounds.includes(other.rounds[at]));
    const cpu = counted.map(({ cpuSeconds }) => cpuSeconds ?? 0);
    return {
      name,
      startUpSeconds,
      oneShotSeconds: oneShot ?? startUpSeconds + samples[0].totalSeconds,
      median: intervalOf(measured),
      state,
      /** What it is compared with, and how many times as long it takes. */
      ...(beside && { against: { name: against!, ratio: ratioOf(measured, beside) } }),
      ...(work && { perSecond: work.amount / center(measured) }),
      cpuSeconds: median(cpu),
      peakMemoryBytes,
      forks: forks.length,
      hot: counted.length,
      disturbed: samples.filter(({ disturbed }) => disturbed).length,
    };
  });
}
