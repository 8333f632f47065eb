import type { ChildProcessWithoutNullStreams } from "node:child_process";

/** Addresses and paths that a job needs, as the job sees them: filled in when it starts. */
export interface Connection {
  readonly store: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKey: string;
    readonly secretKey: string;
    readonly pathStyle: boolean;
    /** With keys that hold for a while. */
    readonly sessionToken?: string;
    /** Certificates that alone are trusted for it, as PEM. @default the system's */
    readonly caCertificates?: string;
  };
  readonly [other: string]: unknown;
}

/** What an engine computes on besides the process of its job, whose memory and CPU are its, too. */
export type Cluster = "none" | "spark" | "ray";

/**
 * How a script starts Python on the platform and what it tells it. One implementation a target;
 * the contract of stdin and the leader is the same on all.
 */
export interface Executor {
  /** Everything in a job's spec that is an address, a path, an id or a secret. */
  connection(cluster: Cluster): Promise<Connection>;
  /**
   * Starts `python -m engine_comparison.leader` where jobs on `cluster` run, with piped stdio.
   * @param mayDownload whether the job is told of the caller's proxies and certificates
   */
  start(cluster: Cluster, mayDownload?: boolean): ChildProcessWithoutNullStreams;
  /**
   * Where jobs cannot write to this machine's files: has `make` write into a folder of the
   * platform, and brings that here as `folder`, whole or not at all. `make` is also given a folder
   * of the platform for what it downloads, which stays.
   */
  collect?(
    folder: string,
    make: (folder: string, downloads: string) => Promise<unknown>,
  ): Promise<void>;
  /** Where a job cannot see its engine's services: measures them, and the job, from outside. */
  watch?(cluster: Cluster): Promise<HostWatch>;
}

/** Memory and CPU of an engine with its job, measured from outside since the watch began. */
export interface HostReading {
  /** What kind of memory: that of the containers' cgroups. */
  readonly memoryMeasure: "cgroup";
  readonly peakMemoryBytes: number;
  /** Before the job. */
  readonly idleMemoryBytes: number;
  /** Of the engine with its job. */
  readonly cpuSeconds: number;
  /** Of all else on the machine, without the object store. */
  readonly othersCpuSeconds: number;
  /** How many times memory was read. */
  readonly readings: number;
}

/** A measurement that goes on. */
export interface HostWatch {
  /** What was seen up to now. */
  read(): HostReading;
  /** Ends the measurement; also after the first time. */
  stop(): Promise<void>;
}
