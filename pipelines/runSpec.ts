import type { Cluster } from "../infra/contracts/executor";
import type { BucketNames } from "../infra/contracts/platform";

/** What the script of a run is told. */
export interface RunSpec {
  readonly engine: string;
  readonly cluster: Cluster;
  readonly workload: string;
  readonly key: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly oracleKey: string;
  readonly buckets: BucketNames;
  /** Place in the order of runs. */
  readonly rank: number;
  /** The time limit. */
  readonly seconds: number;
  readonly limits: { readonly cores: number; readonly memoryBytes: number };
  readonly parallelism: Readonly<Record<string, unknown>>;
}

/** What a run's job is told, besides the connection. */
export function jobSpec(spec: RunSpec, attempt: string): Record<string, unknown> {
  const { parallelism, cluster: _cluster, rank: _rank, seconds: _seconds, ...question } = spec;
  return { ...parallelism, ...question, attempt, kind: "run" };
}
