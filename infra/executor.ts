import type { ChildProcessWithoutNullStreams } from "node:child_process";

/** Addresses and paths that a job needs, as the job sees them: filled in when it starts. */
export interface Connection {
  readonly store: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKey: string;
    readonly secretKey: string;
    readonly pathStyle: boolean;
    readonly caFile: string | null;
  };
  readonly [other: string]: unknown;
}

/**
 * How a script starts Python on the platform and what it tells it. One implementation a target;
 * the contract of stdin and the leader is the same on all.
 */
export interface Executor {
  /**
   * Everything in a job's spec that is an address, a path, an id or a secret.
   * @param engine `spark`, `ray`, `daft`, `baseline`: a target may place them differently
   */
  connection(engine: string): Promise<Connection>;
  /** Starts `python -m engine_comparison.leader` where jobs of `engine` run, with piped stdio. */
  start(engine: string): ChildProcessWithoutNullStreams;
  /** The store as seen from this machine, for uploads and results. */
  storeFromHere(): Promise<Connection["store"]>;
}
