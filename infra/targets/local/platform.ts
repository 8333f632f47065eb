import * as pulumi from "@pulumi/pulumi";
import { contextOf, preflight } from "../../contracts/check";
import type { ObjectStore, Platform, Prepared } from "../../contracts/platform";
import { clampNote, deviceHere, gpuFacts, unusableGpu, type Device } from "../../host/gpu";
import { ports } from "../../settings/ports";
import type { Settings } from "../../settings/schema";
import type { SecretOwner } from "../../stack/credentials";
import { KeptCredentials } from "../../stack/step";
import type { Inspected } from "../../stack/records";
import { step } from "../../stack/step";
import type { DeclareStore } from "../../stores";
import { preparedStore } from "../../stores/checks";
import { modelId } from "../../toolchain/checks";
import { environmentHash } from "../../toolchain/locks";
import { Toolchain, type Tool } from "../../toolchain/toolchain";
import { checks, existingOf } from "./checks";
import { stoppedServices } from "./executor";
import type { LocalSpec } from "./place";

/** What is known of the machine and the stack before anything is declared. */
interface Facts {
  readonly existing: Inspected;
  readonly device: Device;
  /** Identity of the model file that jobs load. */
  readonly model: string;
  /** The external store, where the stack is not to have its own. */
  readonly declareStore?: DeclareStore;
}

/**
 * Checks that target `local` can be deployed here: MinIO (or an external store), Spark and Ray as
 * processes of this user under one supervisor.
 *
 * @throws UserError with what is missing or taken; nothing was written
 */
export async function prepare(
  settings: Settings,
  stack: string,
  id?: string,
): Promise<Prepared<Settings>> {
  const context = contextOf({ stack, settings, id, deployed: false });
  await preflight(context, checks);
  const device = context.facts(deviceHere);
  const model = context.facts(modelId);
  const unused = device.missing
    ? unusableGpu(settings.gpu, context.facts(gpuFacts), device.missing).map(({ what }) => what)
    : [];
  for (const warning of [...unused, clampNote(settings.gpuWorkers, device.gpus)]) {
    if (warning) await pulumi.log.warn(warning);
  }
  const declareStore = await context.facts(preparedStore);
  const existing = await context.facts(existingOf);
  const stopped = stoppedServices(stack, existing);
  if (stopped.length > 0) await pulumi.log.info(`services stopped: ${stopped.join(", ")}`);
  return {
    settings,
    declare: () => declare(settings, stack, { existing, device, model, declareStore }),
  };
}

/** Declares the platform's resources. */
export function declare(settings: Settings, stack: string, facts: Facts): Platform {
  const { existing, model, declareStore } = facts;
  const { device, gpus } = facts.device;
  const { portOffset } = settings;
  const minio = declareStore === undefined;
  const tools = { settings, device, model, observed: existing, minio };
  const toolchain = new Toolchain("toolchain", tools);
  const { python, minioBinary } = toolchain;
  const generation = existing.generation("credentials");
  const credentials = new KeptCredentials("credentials", { settings, stack, generation });
  const supervised = { python, credentials, existing, portOffset };
  const supervisor = new Supervisor("supervisor", supervised);
  const objectStore = declareStore?.(credentials) ?? new Minio("minio", supervisor, minioBinary!);
  const spark = new SparkCluster("spark", supervisor, settings);
  const ray = new RayCluster("ray", supervisor, settings, gpus);

  return {
    objectStore,
    sparkUiUrl: spark.uiUrl,
    rayDashboardUrl: ray.dashboardUrl,
    device,
    python: python.resource,
    quiet: [...toolchain.all, objectStore.ready, ...spark.all, ray.head],
    environment: environmentHash(device),
    model,
  };
}

/** A service to run under the supervisor. */
interface ServiceArgs {
  /** With what else has to change for it to start again. */
  readonly spec: Omit<LocalSpec, "portOffset"> & Readonly<Record<string, unknown>>;
  /** Whose secret it is protected by. */
  readonly secret: SecretOwner;
  readonly dependsOn?: pulumi.Resource[];
}

interface SupervisorArgs {
  readonly python: Tool;
  readonly credentials: KeptCredentials;
  readonly existing: Inspected;
  readonly portOffset: number;
}

/** The stack's supervisord, which starts its services again when they die. */
class Supervisor extends pulumi.ComponentResource {
  private readonly resource: pulumi.Resource;
  private readonly identity: string;

  constructor(
    name: string,
    readonly args: SupervisorArgs,
  ) {
    super("engine-comparison:local:Supervisor", name);
    const generation = args.existing.generation("supervisor");
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
  service(name: string, service: ServiceArgs, parent: pulumi.Resource): pulumi.Resource {
    const { credentials, existing, portOffset } = this.args;
    const { spec, secret, dependsOn = [] } = service;
    return step(
      name,
      {
        kind: "local-service",
        spec: {
          portOffset,
          ...spec,
          generation: existing.generation(name),
          supervisor: this.identity,
          credentials: credentials.generations[secret],
        },
      },
      { parent, dependsOn: [this.resource, credentials.resource, ...dependsOn] },
    );
  }
}

/** The object store: MinIO on one drive in the stack folder, at the loopback interface. */
class Minio extends pulumi.ComponentResource implements ObjectStore {
  readonly endpoint: string;
  readonly consoleUrl: string;
  readonly marker: string;
  readonly ready: pulumi.Resource;
  readonly data: pulumi.Resource;

  constructor(name: string, supervisor: Supervisor, binary: Tool) {
    super("engine-comparison:local:Minio", name);
    const { existing, portOffset } = supervisor.args;
    const { api, console } = ports(portOffset).minio;
    this.endpoint = `http://127.0.0.1:${api}`;
    this.consoleUrl = `http://127.0.0.1:${console}`;
    const generation = existing.generation("minio-data");
    this.marker = String(generation);
    const spec = { binary: binary.identity, data: this.marker };
    this.data = step(
      "minio-data",
      { kind: "local-minio-data", spec: { generation } },
      { parent: this },
    );
    const dependsOn = [this.data, binary.resource];
    this.ready = supervisor.service("minio", { secret: "minio", spec, dependsOn }, this);
    this.registerOutputs({ endpoint: this.endpoint, consoleUrl: this.consoleUrl });
  }
}

/** Spark standalone: a master and its workers; all that talks to them needs the stack's secret. */
class SparkCluster extends pulumi.ComponentResource {
  readonly uiUrl: string;
  readonly all: pulumi.Resource[];

  constructor(name: string, supervisor: Supervisor, settings: Settings) {
    super("engine-comparison:local:SparkCluster", name);
    const { sparkWorkers, sparkWorkerCores: cores, sparkWorkerMemory: memoryBytes } = settings;
    this.uiUrl = `http://127.0.0.1:${ports(settings.portOffset).sparkMaster.ui}`;
    const master = supervisor.service("spark-master", { secret: "spark", spec: {} }, this);
    const workers = Array.from({ length: sparkWorkers }, (_, n) => {
      const spec = { worker: { index: n + 1, cores, memoryBytes } };
      const args = { secret: "spark", spec } as const;
      return supervisor.service(`spark-worker-${n + 1}`, { ...args, dependsOn: [master] }, this);
    });
    this.all = [master, ...workers];
    this.registerOutputs({ uiUrl: this.uiUrl });
  }
}

/** Ray: one head that also works; all that talks to it needs the stack's token. */
class RayCluster extends pulumi.ComponentResource {
  readonly dashboardUrl: string;
  readonly head: pulumi.Resource;

  constructor(name: string, supervisor: Supervisor, settings: Settings, gpus: number) {
    super("engine-comparison:local:RayCluster", name);
    const { portOffset, rayCpus: cpus, rayObjectStoreMemory: objectStoreBytes } = settings;
    this.dashboardUrl = `http://127.0.0.1:${ports(portOffset).ray.dashboard}`;
    const spec = { ray: { cpus, gpus, objectStoreBytes } };
    this.head = supervisor.service("ray-head", { secret: "ray", spec }, this);
    this.registerOutputs({ dashboardUrl: this.dashboardUrl });
  }
}
