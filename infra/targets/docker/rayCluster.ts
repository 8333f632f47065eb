import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../settings/schema";
import { engineEnvs, engineMounts } from "./engine";
import type { GpuArgs } from "./gpuAccess";
import { accepts, answers } from "./health";
import { credentialsFolder, inside, rayHeadAddress, scratchFolder } from "./inside";
import type { ServiceBase } from "./minio";
import { Service } from "./service";
import { headObjectStoreMib, type Size } from "./sizes";

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
    this.head = makeHead(this);
    this.worker = makeWorker(this);
    this.registerOutputs({});

    function makeHead(parent: RayCluster) {
      const { gcs, dashboard, client } = inside.ray;
      return new Service(
        "ray-head",
        {
          ...base,
          size: headSize,
          command: rayStart({
            head: true,
            port: gcs,
            "dashboard-host": "0.0.0.0",
            "dashboard-port": dashboard,
            "ray-client-server-port": client,
            "num-cpus": 0,
            "num-gpus": 0,
            "object-store-memory": headObjectStoreMib * 2 ** 20,
          }),
          envs: rayEnvs,
          mounts,
          health: `${answers(dashboard, "/api/gcs_healthz")} && ${accepts(client)} && pgrep -x raylet`,
          startSeconds: 180,
          // Ray ignores SIGTERM.
          stopSeconds: 2,
        },
        { parent, dependsOn: opts.dependsOn },
      );
    }

    function makeWorker(parent: RayCluster) {
      return new Service(
        "ray-worker",
        {
          ...base,
          size: workerSize,
          command: rayStart({
            address: rayHeadAddress,
            "num-cpus": settings.rayCpus,
            "num-gpus": gpus,
            "object-store-memory": settings.rayObjectStoreMemory,
          }),
          envs: rayEnvs,
          mounts,
          health: "pgrep -x raylet",
          startSeconds: 120,
          stopSeconds: 2,
          gpu,
        },
        { parent, dependsOn: parent.head.ready },
      );
    }
  }
}

function rayStart(options: Readonly<Record<string, string | number | true>>): string[] {
  const all: typeof options = {
    ...options,
    "object-spilling-directory": scratchFolder,
    "log-color": "false",
  };
  return [
    ...["python", "-m", "engine_comparison.ray_node", "start", "--block", "--disable-usage-stats"],
    ...Object.entries(all).map(([name, value]) =>
      value === true ? `--${name}` : `--${name}=${value}`,
    ),
  ];
}

/** What a process needs to take part in, or talk to, the cluster. No secret is in it. */
export const rayAccess = {
  RAY_AUTH_MODE: "token",
  RAY_AUTH_TOKEN_PATH: `${credentialsFolder}/ray-token`,
};

const rayEnvs = {
  ...engineEnvs,
  ...rayAccess,
  RAY_USAGE_STATS_ENABLED: "0",
  // Workers are slow to start: idle ones are kept for the next task.
  RAY_kill_idle_workers_interval_ms: "0",
  // Logs are in /tmp, which is memory.
  RAY_ROTATION_MAX_BYTES: "10000000",
  RAY_ROTATION_BACKUP_COUNT: "1",
};
