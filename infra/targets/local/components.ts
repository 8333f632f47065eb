import * as pulumi from "@pulumi/pulumi";
import type { ObjectStore } from "../../contracts/platform";
import { ports } from "../../settings/ports";
import type { Settings } from "../../settings/schema";
import type { SecretOwner } from "../../stack/credentials";
import { type KeptCredentials, step } from "../../stack/step";
import type { Inspected } from "../../stack/records";
import type { Tool } from "../../toolchain/toolchain";
import type { LocalSpec } from "./place";

export interface SupervisorArgs {
  readonly python: Tool;
  readonly credentials: KeptCredentials;
  readonly observed: Inspected;
}

/** A service to run under the supervisor. */
export interface ServiceArgs {
  /** With what else has to change for it to start again. */
  readonly spec: LocalSpec & Readonly<Record<string, unknown>>;
  /** Whose secret it is protected by. */
  readonly secret: SecretOwner;
  readonly dependsOn?: pulumi.Resource[];
}

/** The stack's supervisord, which starts its services again when they die. */
export class Supervisor extends pulumi.ComponentResource {
  private readonly resource: pulumi.Resource;
  private readonly identity: string;

  constructor(
    name: string,
    private readonly args: SupervisorArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("engine-comparison:local:Supervisor", name, {}, opts);
    const generation = args.observed.generation("supervisor");
    const python = args.python.identity;
    this.identity = `${generation}.${python}`;
    this.resource = step(
      "supervisor",
      { kind: "local-supervisor", spec: { generation, python } },
      { parent: this, dependsOn: args.python.resource },
    );
    this.registerOutputs();
  }

  /**
   * Declares a service. It starts again when its spec, the supervisor or its secret change,
   * and when it is found dead.
   */
  service(name: string, service: ServiceArgs, opts: { parent: pulumi.Resource }): pulumi.Resource {
    const { credentials, observed } = this.args;
    const { spec, secret, dependsOn = [] } = service;
    return step(
      name,
      {
        kind: "local-service",
        spec: {
          ...spec,
          generation: observed.generation(name),
          supervisor: this.identity,
          credentials: credentials.generations[secret],
        },
      },
      { ...opts, dependsOn: [this.resource, credentials.resource, ...dependsOn] },
    );
  }
}

export interface MinioArgs {
  readonly supervisor: Supervisor;
  readonly binary: Tool;
  readonly observed: Inspected;
  readonly portOffset: number;
}

/** The object store: MinIO on one drive in the stack folder, at the loopback interface. */
export class Minio extends pulumi.ComponentResource implements ObjectStore {
  readonly endpoint: string;
  readonly consoleUrl: string;
  readonly marker: string;
  readonly ready: pulumi.Resource;
  readonly data: pulumi.Resource;

  constructor(name: string, args: MinioArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:Minio", name, {}, opts);
    const { supervisor, binary, observed, portOffset } = args;
    const { api, console } = ports(portOffset).minio;
    const child = { parent: this };
    this.endpoint = `http://127.0.0.1:${api}`;
    this.consoleUrl = `http://127.0.0.1:${console}`;
    const generation = observed.generation("minio-data");
    this.marker = String(generation);

    this.data = step("minio-data", { kind: "local-minio-data", spec: { generation } }, child);
    this.ready = supervisor.service(
      "minio",
      {
        secret: "minio",
        spec: { portOffset, binary: binary.identity, data: this.marker },
        dependsOn: [this.data, binary.resource],
      },
      child,
    );
    this.registerOutputs({ endpoint: this.endpoint, consoleUrl: this.consoleUrl });
  }
}

export interface SparkClusterArgs {
  readonly supervisor: Supervisor;
  readonly settings: Pick<
    Settings,
    "portOffset" | "sparkWorkers" | "sparkWorkerCores" | "sparkWorkerMemory"
  >;
}

/** Spark standalone: a master and its workers; all that talks to them needs the stack's secret. */
export class SparkCluster extends pulumi.ComponentResource {
  readonly uiUrl: string;
  readonly all: pulumi.Resource[];

  constructor(name: string, args: SparkClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:SparkCluster", name, {}, opts);
    const { supervisor, settings } = args;
    const { portOffset, sparkWorkers, sparkWorkerCores, sparkWorkerMemory } = settings;
    const child = { parent: this };
    this.uiUrl = `http://127.0.0.1:${ports(portOffset).sparkMaster.ui}`;
    const master = supervisor.service(
      "spark-master",
      { secret: "spark", spec: { portOffset } },
      child,
    );
    const worker = (index: number) =>
      supervisor.service(
        `spark-worker-${index}`,
        {
          secret: "spark",
          spec: {
            portOffset,
            worker: { index, cores: sparkWorkerCores, memoryBytes: sparkWorkerMemory },
          },
          dependsOn: [master],
        },
        child,
      );
    const workers = Array.from({ length: sparkWorkers }, (_, n) => worker(n + 1));
    this.all = [master, ...workers];
    this.registerOutputs({ uiUrl: this.uiUrl });
  }
}

export interface RayClusterArgs {
  readonly supervisor: Supervisor;
  readonly settings: Pick<Settings, "portOffset" | "rayCpus" | "rayObjectStoreMemory">;
  readonly gpus: number;
}

/** Ray: one head that also works; all that talks to it needs the stack's token. */
export class RayCluster extends pulumi.ComponentResource {
  readonly dashboardUrl: string;
  readonly head: pulumi.Resource;

  constructor(name: string, args: RayClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:RayCluster", name, {}, opts);
    const { supervisor, settings, gpus } = args;
    const { portOffset, rayCpus, rayObjectStoreMemory } = settings;
    this.dashboardUrl = `http://127.0.0.1:${ports(portOffset).ray.dashboard}`;
    this.head = supervisor.service(
      "ray-head",
      {
        secret: "ray",
        spec: {
          portOffset,
          ray: { cpus: rayCpus, gpus, objectStoreBytes: rayObjectStoreMemory },
        },
      },
      { parent: this },
    );
    this.registerOutputs({ dashboardUrl: this.dashboardUrl });
  }
}
