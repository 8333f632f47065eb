import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type * as pulumi from "@pulumi/pulumi";

/** What the models run on. */
export type DeviceName = "cpu" | "cuda";

/** What each bucket is for, as the pipelines name them. */
export const bucketPurposes = ["lake", "images", "warehouse", "output"] as const;
export type BucketPurpose = (typeof bucketPurposes)[number];

export type BucketNames = Readonly<Record<BucketPurpose, string>>;

export interface DeclaredBucket {
  readonly purpose: BucketPurpose;
  readonly bucket: string;
  /** All that the stack ever puts into it: keys begin with one of these. */
  readonly prefixes: readonly string[];
}

/** Where the object store is, and what a resource that lives in it depends on. */
export interface ObjectStore {
  /** The S3 API as seen from this machine, e.g. `http://127.0.0.1:9000`. */
  readonly endpoint: string;
  readonly consoleUrl: string;
  /** Identity of the stored data: with another one, buckets, uploads and outputs are made again. */
  readonly dataId: string;
  /** Exists when the store answers. */
  readonly ready: pulumi.Resource;
  /** The data of the stack's own store: what is in it goes with it, without a `delete`. */
  readonly data?: pulumi.Resource;
  /** The buckets' names. @default those of a store of the stack's own */
  readonly bucketNames?: BucketNames;
  /**
   * Declares a bucket.
   *
   * @param owner the name of the component that it is a child of: its own name begins with it
   * @default through the S3 API, gone with `data`
   */
  readonly declareBucket?: (
    owner: string,
    bucket: DeclaredBucket,
    opts: pulumi.CustomResourceOptions,
  ) => pulumi.Resource;
}

/** What a target starts. Pipelines know only this, never a target. */
export interface Platform {
  readonly objectStore: ObjectStore;
  readonly sparkUiUrl: string;
  readonly rayDashboardUrl: string;
  readonly device: DeviceName;
  /** GPUs for the models; 0 on the CPU. */
  readonly gpus: number;
  /** Exists when Python modules of `engine_comparison` can be executed. */
  readonly python: pulumi.Resource;
  /** All that must exist before a run may start, so that runs have a quiet machine. */
  readonly quiet: pulumi.Resource[];
  /** Hash of the locked environment that jobs execute in. */
  readonly environment: string;
  /** Identity of the model file that jobs load. */
  readonly model: string;
}

/** A platform that can be deployed, and of which nothing exists yet. */
export interface Prepared<Settings> {
  /** The settings that hold there: of existing clusters, with their own size. */
  readonly settings: Settings;
  /** @param id the stack's id; unknown in a preview before the first up */
  declare(id: pulumi.Output<string>): Platform;
}

/** Addresses and paths that a job needs, as the job sees them: filled in when it starts. */
export interface Connection {
  readonly store: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKey: string;
    readonly secretKey: string;
    readonly pathStyle: boolean;
    /** Whether it deletes many objects by one request. @default true */
    readonly bulkDelete?: boolean;
    /** Whether it takes checksums in headers. @default true */
    readonly checksums?: boolean;
    /** With keys that hold for a while. */
    readonly sessionToken?: string;
    /** Certificates that alone are trusted for it, as PEM. @default the system's */
    readonly caCertificates?: string;
    /** The path of its counts of requests, where nobody else uses it. @default it tells none */
    readonly metrics?: string;
    /** Where it is over a shaped network, by the value of the setting `network`. */
    readonly shaped?: Readonly<Record<string, string>>;
  };
  readonly [other: string]: unknown;
}

/** What an engine computes on besides the process of its job, whose memory and CPU are its, too. */
export const clusters = ["none", "spark", "ray"] as const;
export type Cluster = (typeof clusters)[number];

/**
 * How a script starts Python on the platform and what it passes to it. One implementation a target;
 * the contract of stdin and the leader is the same on all.
 */
export interface Executor {
  /** Whether jobs run in containers whose memory is limited: what is killed there had no more. */
  readonly limitsMemory?: boolean;
  /** Everything in a job's spec that is an address, a path, an id or a secret. */
  connection(cluster: Cluster): Promise<Connection>;
  /**
   * Starts `python -m engine_comparison.leader` where jobs on `cluster` run, with piped stdio.
   * @param mayDownload whether the job gets the caller's proxies and certificates
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

/** Samplers of memory and CPU where a job cannot see its engine's services. */
export interface HostWatch {
  /**
   * Puts a question to all samplers (engine_comparison/sampler.py).
   *
   * @returns their answers, always in one order
   * @throws Error when one of them does not answer
   */
  ask(question: string): Promise<readonly object[]>;
  /** Ends the measurement; also after the first time. */
  stop(): Promise<void>;
}
