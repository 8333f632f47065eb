import * as pulumi from "@pulumi/pulumi";
import type { ObjectStore, Platform, Prepared } from "../../contracts/platform";
import type { StackContext } from "../../host/checks";
import { clampNote, deviceHere, gpuFacts, unusableGpu, type Device } from "../../host/gpu";
import { untriedFacts, untriedMachine } from "../../host/platform";
import { sparkGpus } from "../../services";
import { ports } from "../../settings/ports";
import type { Settings } from "../../settings/schema";
import type { SecretOwner } from "../../stack/credentials";
import { KeptCredentials, step } from "../../stack/step";
import type { Inspected } from "../../stack/records";
import { prepareStore, type DeclareStore } from "../../stores";
import { modelId } from "../../toolchain/checks";
import { environmentHash } from "../../toolchain/locks";
import { Toolchain } from "../../toolchain/toolchain";
import { existingOf } from "./checks";
import { stoppedServices } from "./executor";
import { urlOf, type LocalSpec } from "./place";

export interface Facts {
  readonly existing: Inspected;
  readonly device: Device;
  readonly model: string;
  /** The external store, where the stack is not to have its own. */
  readonly declareStore?: DeclareStore;
}

/** MinIO (or an external store), Spark and Ray as processes of this user under one supervisor. */
export async function prepare(context: StackContext): Promise<Prepared<Settings>> {
  const { settings, stack } = context;
  const device = context.facts(deviceHere);
  const model = context.facts(modelId);
  const unused = device.missing
    ? unusableGpu(settings.gpu, context.facts(gpuFacts), device.missing).map(({ what }) => what)
    : [];
  const untried = untriedMachine(context.facts(untriedFacts)).map(({ what }) => what);
  for (const warning of [...untried, ...unused, clampNote(settings.gpuWorkers, device.gpus)]) {
    if (warning) await pulumi.log.warn(warning);
  }
  const declareStore = await context.facts(prepareStore);
  const existing = await context.facts(existingOf);
  const stopped = stoppedServices(stack, existing);
  if (stopped.length > 0) await pulumi.log.info(`services stopped: ${stopped.join(", ")}`);
  return {
    settings,
    declare: () => declare(settings, stack, { existing, device, model, declareStore }),
  };
}

export function declare(settings: Settings, stack: string, facts: Facts): Platform {
  const { existing, model, declareStore } = facts;
  const { device, gpus } = facts.device;
  const toolchain = new Toolchain("toolchain", {
    ...{ settings, device, model, observed: existing },
    more: [
      ...(declareStore ? [] : (["minio-binary"] as const)),
      ...(settings.network === "none" ? [] : (["toxiproxy-binary"] as const)),
    ],
  });
  const generation = existing.generation("credentials");
  const credentials = new KeptCredentials("credentials", { settings, stack, generation });
  const given = { settings, facts, toolchain, credentials };
  const { objectStore, services } = new Services("services", given);
  const { sparkMaster, ray } = ports(settings.portOffset);
  return {
    objectStore,
    sparkUiUrl: urlOf(sparkMaster.ui),
    rayDashboardUrl: urlOf(ray.dashboard),
    device,
    gpus,
    python: toolchain.python.resource,
    quiet: [...toolchain.all, objectStore.ready, ...services],
    environment: environmentHash(device),
    model,
  };
}

export interface ServicesArgs {
  /** The settings. @example readSettings(pulumi.runtime.allConfig()) */
  readonly settings: Settings;
  /** What is known of the machine and the stack. @example { existing, device, model } */
  readonly facts: Facts;
  /** What the services are started from. @example new Toolchain("toolchain", tools) */
  readonly toolchain: Toolchain;
  /** Their secrets. @example new KeptCredentials("credentials", { settings, stack, generation }) */
  readonly credentials: KeptCredentials;
}

/** The stack's supervisord, which starts its services again when they die, and those services. */
class Services extends pulumi.ComponentResource {
  readonly objectStore: ObjectStore;
  /** All but the store. */
  readonly services: readonly pulumi.Resource[];

  constructor(name: string, args: ServicesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:Services", name, {}, opts);
    const { settings, facts, toolchain, credentials } = args;
    const python = toolchain.python.identity;
    const generation = facts.existing.generation("supervisor");
    const supervisor = step(
      `${name}-supervisor`,
      { kind: "local-supervisor", record: "supervisor", spec: { generation, python } },
      { parent: this, dependsOn: toolchain.python.resource },
    );

    /** Starts again when its spec, the supervisor or its secret change, and when it is found dead. */
    const service = (
      record: string,
      secret: SecretOwner | undefined,
      own: Omit<LocalSpec, "portOffset"> & Readonly<Record<string, unknown>> = {},
      ...after: pulumi.Resource[]
    ) => {
      const spec = {
        ...{ ...own, portOffset: settings.portOffset, supervisor: `${generation}.${python}` },
        generation: facts.existing.generation(record),
        ...(secret && { credentials: credentials.generations[secret] }),
      };
      const dependsOn = [supervisor, credentials.resource, ...after];
      return step(
        `${name}-${record}`,
        { kind: "local-service", record, spec },
        { parent: this, dependsOn },
      );
    };

    /** MinIO on one drive in the stack folder. */
    const ownStore = (): ObjectStore => {
      const { api, console } = ports(settings.portOffset).minio;
      const binary = toolchain.more.get("minio-binary")!;
      const record = "minio-data";
      const dataId = facts.existing.generation(record);
      const drive = { kind: "local-minio-data", record, spec: { generation: dataId } };
      const data = step(`${name}-${record}`, drive, { parent: this });
      const spec = { binary: binary.identity, data: dataId };
      const ready = service("minio", "minio", spec, data, binary.resource);
      return { endpoint: urlOf(api), consoleUrl: urlOf(console), dataId, ready, data };
    };

    /** What delays the store's answers to engines, where that is asked for. */
    const proxies = (): pulumi.Resource[] => {
      const binary = toolchain.more.get("toxiproxy-binary");
      if (!binary) return [];
      const { endpoint, ready } = this.objectStore;
      const { hostname, port } = new URL(endpoint);
      const spec = { upstream: `${hostname}:${port || "80"}`, binary: binary.identity };
      return [service("toxiproxy", undefined, spec, binary.resource, ready)];
    };

    this.objectStore = facts.declareStore?.(credentials) ?? ownStore();
    const { gpus } = facts.device;
    const { sparkWorkerCores: cores, sparkWorkerMemory: memoryBytes } = settings;
    const master = service("spark-master", "spark");
    const workers = Array.from({ length: settings.sparkWorkers }, (_, n) => {
      const own = sparkGpus(n + 1, settings.sparkExecutors, gpus);
      const worker = { index: n + 1, cores, memoryBytes, gpus: own };
      return service(`spark-worker-${n + 1}`, "spark", { worker }, master);
    });
    const { rayCpus: cpus, rayObjectStoreMemory: objectStoreBytes } = settings;
    const head = service("ray-head", "ray", { ray: { cpus, gpus, objectStoreBytes } });
    this.services = [master, ...workers, head, ...proxies()];
    this.registerOutputs();
  }
}
