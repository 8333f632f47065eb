import type { Comparison } from "../harness";
import type { Table } from "../render";
import type { BenchStack } from "../stack";

/** What the command line asks for. */
export interface Options {
  /** Trips: a table each, of `datasets` for the first. */
  readonly rows: readonly number[];
  /** Photographs: a table each. */
  readonly photos: readonly number[];
  /** Hot samples of each contender, where it is not the benchmark's own number. */
  readonly samples?: number;
  /** `key=value` for the stacks. */
  readonly config: readonly string[];
}

/** What a benchmark works with. */
export interface Bench extends Options {
  readonly stack: BenchStack;
  /** Aborted: the user wants no more. */
  readonly stop: AbortSignal;
  /** Deploys the stack with the data of these workloads, unless it has them. */
  deployed(settings?: Record<string, string | number>): Promise<void>;
  /** Has a comparison's contenders take their samples. */
  measured(comparison: Comparison): Promise<Table>;
  /** Tells why something is left out; it goes into the table's notes. */
  note(text: string): void;
}

/** One name of `--only`. */
export interface Benchmark {
  readonly name: string;
  readonly what: string;
  /** Whether it runs only when it is asked for. */
  readonly onlyAsked?: boolean;
  run(bench: Bench): Promise<Table[]>;
}
