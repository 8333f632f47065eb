import { stackFiles } from "../infra/stack/files";
import { executorOf } from "../infra/targets";
import { runJob } from "../pipelines/job";

/** One that takes part; what else `bench/contenders` asks for is in it, too. */
export interface Contender {
  readonly name: string;
  /** Of `bench/contenders/__init__.py`. */
  readonly kind: string;
  /** Those of which the faster one is what this one is compared with. */
  readonly against?: readonly string[];
  readonly [more: string]: unknown;
}

/** A sample as `engine_comparison.samples` has it. */
export interface Sample extends Try {
  readonly kind: "first" | "hot";
  readonly disturbed: boolean;
  /** All tries of one that was disturbed. */
  readonly tries?: readonly Try[];
}

/** One execution: seconds, and CPU seconds of the contender with its services and of all others. */
export interface Try {
  readonly totalSeconds: number;
  readonly cpuSeconds: number;
  readonly othersCpuSeconds: number;
}

export interface Measured {
  readonly name: string;
  readonly startUpSeconds: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
  readonly peakMemoryBytes: number;
  /** What the last output was found to be by the oracle, or by counting what arrived. */
  readonly verified: Readonly<Record<string, unknown>>;
}

/** One table: contenders that did the same work, in turn. */
export interface Comparison {
  readonly title: string;
  /** What a contender does in a sample, for rates: `{ amount: 1000, unit: "images" }`. */
  readonly work?: { readonly amount: number; readonly unit: string };
  readonly rounds: number;
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
 * @param tell gets what is done now
 * @param stop aborted: the contenders are ended
 * @throws UserError when one fails, or its output is not right
 */
export async function measure(
  stack: string,
  { contenders, ...comparison }: Comparison,
  tell: (phase: string) => void,
  stop: AbortSignal,
): Promise<Outcome> {
  const { rounds, title } = comparison;
  const result = await runJob(await executorOf(stack), {
    module: "bench.harness",
    cluster: "none",
    spec: { rounds, contenders },
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
