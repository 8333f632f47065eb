import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { isOlder } from "../../host/probe";
import { step } from "../../stack/step";
import type { Base, Image } from "./base";
import { generationOf, names, recordedContainer, steps, type Role } from "./inspect";
import { healthScript, paths, published, user, type ContainerSpec } from "./place";
import type { GpuArgs, Size } from "./resources";

interface Mount {
  readonly volume: docker.Volume;
  readonly path: string;
  readonly readOnly?: boolean;
}

export const secretsMount = ({ credentials }: Base): Mount => ({
  volume: credentials,
  path: paths.credentials,
  readOnly: true,
});

/** The volumes of containers that run pipeline code. */
export const engineMounts = (base: Base): Mount[] => [
  secretsMount(base),
  { volume: base.scratch, path: paths.scratch },
  ...(base.model ? [{ volume: base.model, path: paths.customModel, readOnly: true }] : []),
];

export interface ServiceArgs {
  /** What the container is for; also its name inside the network. @example "spark-worker-1" */
  readonly role: Role;
  /** The network, volumes and cleanup that it depends on. @example new Base("docker", args) */
  readonly base: Base;
  /** What it is started from. @example new Image("image-engine", args) */
  readonly image: Image;
  /** What it runs, and how one sees that it does its work. @example services.sparkMaster(place) */
  readonly spec: ContainerSpec;
  /** Volumes, and where they are inside. @example engineMounts(base) */
  readonly mounts: readonly Mount[];
  /** What it may use at most. @example { memoryMib: 2048, shmMib: 64, cpus: 2 } */
  readonly size: Size;
  /** What is added to the usual ports where they are published on 127.0.0.1. @example 1000 */
  readonly portOffset: number;
  /** What lets it see the GPUs. @default it sees none @example gpuArgs(plan) */
  readonly gpu?: GpuArgs;
  /** Changes when its secret does: the container is then replaced. @example "2.1" */
  readonly secretVersion: pulumi.Input<string>;
  /** Facts to record of a healthy one. @default none @example { endpoint: "http://minio:9000" } */
  readonly facts?: Readonly<Record<string, string | number>>;
  /** What has to exist before it starts. @example [credentials.placed, master.ready] */
  readonly after: readonly pulumi.Resource[];
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
  /** Exists when the service does its work. */
  readonly ready: pulumi.Resource;

  constructor(name: string, args: ServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Service", name, {}, opts);
    const { role, base, image, spec, facts = {}, after } = args;
    const { provider, cleanup } = base;
    const { stack, existing } = base.args;
    const recorded = recordedContainer(stack, role);
    const there = existing.containers.get(names(stack).container(role));
    const generation = generationOf(recorded, there);
    const container = new docker.Container(name, containerArgs(generation, args), {
      ...{ parent: this, provider, deleteBeforeReplace: true },
      dependsOn: [cleanup, image.image, ...after],
    });
    const ready = {
      ...{ role, container: container.id, facts, generation },
      health: healthScript(spec.health),
      seconds: spec.startSeconds,
    };
    this.ready = step(
      `${name}-ready`,
      { kind: "docker-ready", record: steps.ready(role), spec: ready },
      { parent: this, deletedWith: cleanup },
    );
    this.registerOutputs({});
  }
}

function containerArgs(generation: string, args: ServiceArgs): docker.ContainerArgs {
  const { role, base, spec, size, gpu } = args;
  return {
    name: names(base.args.stack).container(role),
    image: args.image.imageName,
    command: [...spec.argv],
    envs: Object.entries({ ...spec.env, ...gpu?.envs })
      .map(([key, value]) => `${key}=${value}`)
      .sort(),
    hostname: role,
    // Without it the provider sees a difference for ever; the containers are not on that network.
    networkMode: "bridge",
    networksAdvanced: [{ name: base.network.name, aliases: [role] }],
    ports: published(args.portOffset)
      .filter((port) => port.role === role)
      .map(({ internal, external }) => ({ internal, external, ip: "127.0.0.1", protocol: "tcp" })),
    volumes: args.mounts.map(({ volume, path, readOnly = false }) => ({
      ...{ volumeName: volume.name, containerPath: path, readOnly },
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
    destroyGraceSeconds: spec.stopSeconds,
    stopTimeout: spec.stopSeconds,
    healthcheck: {
      tests: ["CMD", "bash", "-c", healthScript(spec.health)],
      interval: "30s",
      timeout: "10s",
      startPeriod: duration(spec.startSeconds),
      // Since this version a daemon can look at a starting container more often than at one that runs.
      ...(isOlder(base.args.info.ServerVersion ?? "0", "25") ? {} : { startInterval: "1s" }),
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
