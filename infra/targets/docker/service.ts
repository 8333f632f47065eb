import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { step } from "../../stack/step";
import { generationOf, readyStep, settledContainer } from "./inspect";
import type { GpuArgs } from "./gpu";
import { labels, type Ground } from "./ground";
import { names, type Role } from "./names";
import { published, user } from "./place";
import type { Size } from "./sizes";

export interface Mount {
  readonly volume: docker.Volume;
  readonly path: string;
  readonly readOnly?: boolean;
}

export interface ServiceArgs {
  readonly ground: Ground;
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

/**
 * One container, hardened like all of them, and the step that waits until it does its work. (The
 * provider's own `wait` does not see a container that has exited, and waits its whole time for it.)
 */
export class Service extends pulumi.ComponentResource {
  readonly container: docker.Container;
  /** Stands when the service does its work. */
  readonly ready: pulumi.Resource;

  constructor(role: Role, args: ServiceArgs, opts: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Service", role, {}, opts);
    const { ground } = args;
    const name = names(ground.stack).container(role);
    const generation = generationOf(
      settledContainer(ground.stack, role),
      ground.found.containers.get(name),
    );
    this.container = new docker.Container(role, containerArgs(role, name, generation, args), {
      parent: this,
      provider: ground.provider,
      dependsOn: dependencies(opts.dependsOn, ground.sweeper),
      deleteBeforeReplace: true,
    });
    this.ready = step(
      readyStep(role),
      {
        kind: "docker-ready",
        spec: {
          role,
          container: this.container.id,
          health: args.health,
          seconds: args.startSeconds,
          facts: args.facts ?? {},
          generation,
        },
      },
      { parent: this, deletedWith: ground.sweeper },
    );
    this.registerOutputs({});
  }
}

function dependencies(
  more: pulumi.ComponentResourceOptions["dependsOn"],
  sweeper: pulumi.Resource,
): pulumi.Input<pulumi.Input<pulumi.Resource>[]> {
  return pulumi
    .output(more)
    .apply((list) => [sweeper, ...[list ?? []].flat()] as pulumi.Resource[]);
}

function containerArgs(
  role: Role,
  name: string,
  generation: string,
  args: ServiceArgs,
): docker.ContainerArgs {
  const { ground, size, gpu } = args;
  return {
    name,
    image: args.image,
    command: [...args.command],
    envs: variables({ ...args.envs, ...gpu?.envs }),
    hostname: role,
    // Without it the provider sees a difference for ever; the containers are not on that network.
    networkMode: "bridge",
    networksAdvanced: [{ name: ground.network.name, aliases: [role] }],
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
    ...cpuQuota(size.cpus),
    shmSize: size.shmMib,
    destroyGraceSeconds: args.stopSeconds,
    stopTimeout: args.stopSeconds,
    healthcheck: {
      tests: ["CMD", "bash", "-c", args.health],
      interval: "30s",
      timeout: "10s",
      startPeriod: duration(args.startSeconds),
      ...(ground.startInterval ? { startInterval: "1s" } : {}),
      retries: 3,
    },
    labels: [
      ...labels(ground, generation),
      { label: "engine-comparison.credentials", value: args.secretVersion },
    ],
    ...gpu?.args,
  };
}

/**
 * Microseconds of CPU in each tenth of a second. The provider has `cpus` too, but reads "2" back as
 * "2.0" and "10" as "10.", and sees a difference for ever.
 */
function cpuQuota(cpus: number | undefined): Pick<docker.ContainerArgs, "cpuPeriod" | "cpuQuota"> {
  if (cpus === undefined) return {};
  const period = 100_000;
  return { cpuPeriod: period, cpuQuota: Math.round(cpus * period) };
}

/** Seconds as Docker writes them back; written otherwise, the provider sees a difference for ever. */
export function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}

function variables(envs: Readonly<Record<string, string>>): string[] {
  return Object.entries(envs)
    .map(([key, value]) => `${key}=${value}`)
    .sort();
}
