import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import {
  minio,
  rayHead,
  rayWorker,
  sparkMaster,
  sparkWorker,
  type ServiceSpec,
} from "../../services";
import type { Settings } from "../../settings/schema";
import { step } from "../../stack/step";
import type { Base } from "./base";
import { generationOf, names, readyStep, recordedContainer, type Role } from "./inspect";
import {
  containerRayAccess,
  credentialsFolder,
  customModelFolder,
  engineEnvs,
  healthScript,
  inside,
  place,
  published,
  rayClientUrl,
  scratchFolder,
  sparkMasterUrl,
  urlOf,
  user,
} from "./place";
import { headObjectStoreMib, type GpuArgs, type Size } from "./resources";

interface Mount {
  readonly volume: docker.Volume;
  readonly path: string;
  readonly readOnly?: boolean;
}

interface ServiceArgs {
  readonly base: Base;
  readonly image: pulumi.Input<string>;
  readonly command: readonly string[];
  readonly envs: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly size: Size;
  readonly portOffset: number;
  /** A bash script that succeeds when the service does its work. */
  readonly health: string;
  /** How long it may take until then. */
  readonly startSeconds: number;
  /** How long it may take to end before it is killed. */
  readonly stopSeconds: number;
  readonly gpu?: GpuArgs;
  /** Changes when its secret does: the container is then replaced. */
  readonly secretVersion: pulumi.Input<string>;
  /** Facts that are recorded when the service is healthy. */
  readonly facts?: Readonly<Record<string, string | number>>;
}

/** Size of /tmp, which is memory. */
const temporary = "1g";

/** Microseconds for which a quota of CPU holds. */
const cpuPeriod = 100_000;

/**
 * One container, hardened like all of them, and the step that waits until it does its work. (The
 * provider's own `wait` does not see a container that has exited, and waits its whole time for it.)
 */
export class Service extends pulumi.ComponentResource {
  readonly container: docker.Container;
  /** Exists when the service does its work. */
  readonly ready: pulumi.Resource;

  constructor(role: Role, args: ServiceArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Service", role, {}, opts);
    const { base } = args;
    const { stack, cleanup } = base;
    const name = names(stack).container(role);
    const recorded = recordedContainer(stack, role);
    const generation = generationOf(recorded, base.existing.containers.get(name));
    const dependsOn = pulumi
      .output(opts.dependsOn)
      .apply((list) => [cleanup, ...[list ?? []].flat()] as pulumi.Resource[]);
    this.container = new docker.Container(role, containerArgs(role, name, generation, args), {
      parent: this,
      provider: base.provider,
      dependsOn,
      deleteBeforeReplace: true,
    });
    const spec = {
      role,
      container: this.container.id,
      health: args.health,
      seconds: args.startSeconds,
      facts: args.facts ?? {},
      generation,
    };
    const ready = { kind: "docker-ready", spec };
    this.ready = step(readyStep(role), ready, { parent: this, deletedWith: cleanup });
    this.registerOutputs({});
  }
}

function containerArgs(
  role: Role,
  name: string,
  generation: string,
  args: ServiceArgs,
): docker.ContainerArgs {
  const { base, size, gpu } = args;
  return {
    name,
    image: args.image,
    command: [...args.command],
    envs: Object.entries({ ...args.envs, ...gpu?.envs })
      .map(([key, value]) => `${key}=${value}`)
      .sort(),
    hostname: role,
    // Without it the provider sees a difference for ever; the containers are not on that network.
    networkMode: "bridge",
    networksAdvanced: [{ name: base.network.name, aliases: [role] }],
    ports: published(args.portOffset)
      .filter((port) => port.role === role)
      .map(({ internal, external }) => ({ internal, external, ip: "127.0.0.1", protocol: "tcp" })),
    volumes: args.mounts.map(({ volume, path, readOnly }) => ({
      volumeName: volume.name,
      containerPath: path,
      readOnly: readOnly ?? false,
    })),
    user,
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    readOnly: true,
    tmpfs: { "/tmp": `rw,exec,nosuid,nodev,mode=1777,size=${temporary}` },
    init: true,
    restart: "unless-stopped",
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
    memory: size.memoryMib,
    // Equal to the memory, so that there is no swap; unset, the provider sees a difference for ever.
    memorySwap: size.memoryMib,
    // The provider has `cpus` too, but reads "2" back as "2.0", and sees a difference for ever.
    ...(size.cpus === undefined ? {} : { cpuPeriod, cpuQuota: Math.round(size.cpus * cpuPeriod) }),
    ...(size.cpuSet === undefined ? {} : { cpuSet: size.cpuSet }),
    shmSize: size.shmMib,
    destroyGraceSeconds: args.stopSeconds,
    stopTimeout: args.stopSeconds,
    healthcheck: {
      tests: ["CMD", "bash", "-c", args.health],
      interval: "30s",
      timeout: "10s",
      startPeriod: duration(args.startSeconds),
      ...(base.startInterval ? { startInterval: "1s" } : {}),
      retries: 3,
    },
    labels: [
      ...base.labels(generation),
      { label: "engine-comparison.credentials", value: args.secretVersion },
    ],
    ...gpu?.args,
  };
}

/** Seconds as Docker writes them back; written otherwise, the provider sees a difference for ever. */
function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}

/** What the components of services are given; they add what is theirs. */
type ServiceBase = Pick<ServiceArgs, "base" | "image" | "secretVersion" | "portOffset">;

/** A service as a container runs it. */
function inContainer({ argv, env, health, startSeconds, stopSeconds }: ServiceSpec) {
  return { command: argv, envs: env, health: healthScript(health), startSeconds, stopSeconds };
}

const secrets = ({ credentials }: Base): Mount => ({
  volume: credentials,
  path: credentialsFolder,
  readOnly: true,
});

/** The volumes of containers that run pipeline code. */
function engineMounts(base: Base): Mount[] {
  return [
    secrets(base),
    { volume: base.scratch, path: scratchFolder },
    ...(base.model ? [{ volume: base.model, path: customModelFolder, readOnly: true }] : []),
  ];
}

/** MinIO's server on the data volume. */
export function minioService(
  args: ServiceBase & Pick<ServiceArgs, "size">,
  opts: pulumi.ComponentResourceOptions,
): Service {
  const { base, portOffset } = args;
  const mounts = [{ volume: base.data, path: place.minio.data }, secrets(base)];
  const facts = { endpoint: urlOf(portOffset, inside.minio.api) };
  return new Service("minio", { ...args, ...inContainer(minio(place)), mounts, facts }, opts);
}

interface ClusterArgs extends ServiceBase {
  readonly settings: Settings;
  /** Of the master or head, and of a worker. */
  readonly sizes: readonly [Size, Size];
  readonly gpu: GpuArgs;
}

/** Spark standalone: a master, and workers of `sparkWorkerCores` and `sparkWorkerMemory`. */
export class SparkCluster extends pulumi.ComponentResource {
  readonly master: Service;
  readonly workers: Service[];

  constructor(name: string, args: ClusterArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:SparkCluster", name, {}, opts);
    const { settings, gpu, sizes, ...base } = args;
    const resources = { cores: settings.sparkWorkerCores, memoryBytes: settings.sparkWorkerMemory };
    this.master = new Service(
      "spark-master",
      {
        ...base,
        ...inContainer(sparkMaster(place)),
        size: sizes[0],
        mounts: [secrets(base.base)],
      },
      { parent: this, dependsOn: opts.dependsOn },
    );
    this.workers = Array.from({ length: settings.sparkWorkers }, (_, n) => {
      const service = inContainer(sparkWorker(place, n + 1, resources));
      return new Service(
        `spark-worker-${n + 1}`,
        { ...base, ...service, size: sizes[1], mounts: engineMounts(base.base), gpu },
        { parent: this, dependsOn: this.master.ready },
      );
    });
    this.registerOutputs({});
  }
}

/**
 * A Ray cluster: a head that runs no tasks but has the drivers, and a worker with all CPUs and GPUs.
 */
export class RayCluster extends pulumi.ComponentResource {
  readonly head: Service;
  readonly worker: Service;

  /** @param args.gpus what the cluster offers: the worker's, because all containers see the same ones */
  constructor(
    name: string,
    args: ClusterArgs & { readonly gpus: number },
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("engine-comparison:docker:RayCluster", name, {}, opts);
    const { settings, gpu, gpus, sizes, ...base } = args;
    const { rayCpus: cpus, rayObjectStoreMemory: objectStoreBytes } = settings;
    const mounts = engineMounts(base.base);
    const ofHead = { cpus: 0, gpus: 0, objectStoreBytes: headObjectStoreMib * 2 ** 20 };
    const ofWorker = { cpus, gpus, objectStoreBytes };
    this.head = new Service(
      "ray-head",
      { ...base, ...inContainer(rayHead(place, ofHead)), size: sizes[0], mounts },
      { parent: this, dependsOn: opts.dependsOn },
    );
    this.worker = new Service(
      "ray-worker",
      { ...base, ...inContainer(rayWorker(place, ofWorker)), size: sizes[1], mounts, gpu },
      { parent: this, dependsOn: this.head.ready },
    );
    this.registerOutputs({});
  }
}

/**
 * The container where people work, and where all jobs run but those on the Ray cluster.
 *
 * @param args.facts what the scripts that start jobs have to know
 */
export function appService(
  args: ServiceBase & Required<Pick<ServiceArgs, "size" | "gpu" | "facts">>,
  opts: pulumi.ComponentResourceOptions,
): Service {
  const envs = {
    ...engineEnvs,
    ...containerRayAccess,
    SPARK_MASTER: sparkMasterUrl,
    SPARK_CONF_DIR: credentialsFolder,
    RAY_ADDRESS: rayClientUrl,
    DAFT_RUNNER: "ray",
  };
  const how = {
    command: ["sleep", "infinity"],
    envs,
    mounts: engineMounts(args.base),
    health: `test -r ${credentialsFolder}/store.env && test -w ${scratchFolder}`,
    startSeconds: 30,
    stopSeconds: 2,
  };
  return new Service("app", { ...args, ...how }, opts);
}
