import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../settings/schema";
import {
  minio,
  rayHead,
  rayWorker,
  sparkMaster,
  sparkWorker,
  type ServiceSpec,
} from "../../services";
import type { GpuArgs } from "./gpu";
import type { Ground } from "./ground";
import {
  containerRayAccess,
  credentialsFolder,
  customModelFolder,
  engineEnvs,
  healthScript,
  inside,
  place,
  rayClientUrl,
  scratchFolder,
  sparkMasterUrl,
  urlOf,
} from "./place";
import { Service, type Mount, type ServiceArgs } from "./service";
import { headObjectStoreMib, type Size } from "./sizes";

/** What the components of services are given; they add what is theirs. */
type ServiceBase = Pick<ServiceArgs, "ground" | "image" | "secretVersion" | "size" | "portOffset">;

/** A service as a container runs it. */
function inContainer({ argv, env, health, startSeconds, stopSeconds }: ServiceSpec) {
  return { command: argv, envs: env, health: healthScript(health), startSeconds, stopSeconds };
}

const secrets = ({ credentials }: Ground): Mount => ({
  volume: credentials,
  path: credentialsFolder,
  readOnly: true,
});

/** The volumes of containers that run pipeline code. */
function engineMounts(ground: Ground): Mount[] {
  return [
    secrets(ground),
    { volume: ground.scratch, path: scratchFolder },
    ...(ground.model ? [{ volume: ground.model, path: customModelFolder, readOnly: true }] : []),
  ];
}

/** MinIO's server on the data volume. */
export class Minio extends pulumi.ComponentResource {
  readonly service: Service;

  constructor(name: string, args: ServiceBase, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Minio", name, {}, opts);
    const { ground, portOffset } = args;
    this.service = new Service(
      "minio",
      {
        ...args,
        ...inContainer(minio(place)),
        mounts: [{ volume: ground.data, path: place.minio.data }, secrets(ground)],
        facts: { endpoint: urlOf(portOffset, inside.minio.api) },
      },
      { parent: this, dependsOn: opts.dependsOn },
    );
    this.registerOutputs({});
  }
}

export interface SparkClusterArgs extends Omit<ServiceBase, "size"> {
  readonly settings: Settings;
  readonly masterSize: Size;
  readonly workerSize: Size;
  readonly gpu: GpuArgs;
}

/** Spark standalone: a master, and workers of `sparkWorkerCores` and `sparkWorkerMemory`. */
export class SparkCluster extends pulumi.ComponentResource {
  readonly master: Service;
  readonly workers: Service[];

  constructor(name: string, args: SparkClusterArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:SparkCluster", name, {}, opts);
    const { settings, gpu, masterSize, workerSize, ...base } = args;
    const { ground } = base;
    const size = { cores: settings.sparkWorkerCores, memoryBytes: settings.sparkWorkerMemory };
    this.master = new Service(
      "spark-master",
      {
        ...{ ...base, ...inContainer(sparkMaster(place)) },
        ...{ size: masterSize, mounts: [secrets(ground)] },
      },
      { parent: this, dependsOn: opts.dependsOn },
    );
    const worker = (index: number) =>
      new Service(
        `spark-worker-${index}`,
        {
          ...{ ...base, ...inContainer(sparkWorker(place, index, size)) },
          ...{ size: workerSize, mounts: engineMounts(ground), gpu },
        },
        { parent: this, dependsOn: this.master.ready },
      );
    this.workers = Array.from({ length: settings.sparkWorkers }, (_, n) => worker(n + 1));
    this.registerOutputs({});
  }
}

export interface RayClusterArgs extends Omit<ServiceBase, "size"> {
  readonly settings: Settings;
  readonly headSize: Size;
  readonly workerSize: Size;
  readonly gpu: GpuArgs;
  /** GPUs that the cluster offers: the worker's, because all containers see the same ones. */
  readonly gpus: number;
}

/** A Ray cluster: a head that runs no tasks but has the drivers, and a worker with all CPUs and GPUs. */
export class RayCluster extends pulumi.ComponentResource {
  readonly head: Service;
  readonly worker: Service;

  constructor(name: string, args: RayClusterArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:RayCluster", name, {}, opts);
    const { settings, gpu, gpus, headSize, workerSize, ...base } = args;
    const mounts = engineMounts(base.ground);
    const ofHead = { cpus: 0, gpus: 0, objectStoreBytes: headObjectStoreMib * 2 ** 20 };
    const ofWorker = {
      ...{ cpus: settings.rayCpus, gpus },
      objectStoreBytes: settings.rayObjectStoreMemory,
    };
    this.head = new Service(
      "ray-head",
      { ...base, ...inContainer(rayHead(place, ofHead)), size: headSize, mounts },
      { parent: this, dependsOn: opts.dependsOn },
    );
    this.worker = new Service(
      "ray-worker",
      { ...base, ...inContainer(rayWorker(place, ofWorker)), size: workerSize, mounts, gpu },
      { parent: this, dependsOn: this.head.ready },
    );
    this.registerOutputs({});
  }
}

export interface AppArgs extends ServiceBase {
  readonly gpu: GpuArgs;
  /** What the scripts that start jobs have to know. */
  readonly facts: Readonly<Record<string, string | number>>;
}

/** Where people work, and where all jobs run but those on the Ray cluster. */
export class App extends pulumi.ComponentResource {
  readonly service: Service;

  constructor(name: string, args: AppArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:App", name, {}, opts);
    this.service = new Service(
      "app",
      {
        ...args,
        command: ["sleep", "infinity"],
        envs: {
          ...engineEnvs,
          ...containerRayAccess,
          SPARK_MASTER: sparkMasterUrl,
          SPARK_CONF_DIR: credentialsFolder,
          RAY_ADDRESS: rayClientUrl,
          DAFT_RUNNER: "ray",
        },
        mounts: engineMounts(args.ground),
        health: `test -r ${credentialsFolder}/store.env && test -w ${scratchFolder}`,
        startSeconds: 30,
        stopSeconds: 2,
      },
      { parent: this, dependsOn: opts.dependsOn },
    );
    this.registerOutputs({});
  }
}
