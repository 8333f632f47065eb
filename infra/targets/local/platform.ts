import * as pulumi from "@pulumi/pulumi";
import { KeptCredentials } from "../../stack/keptCredentials";
import { environmentHash } from "../../toolchain/locks";
import { modelIdentity } from "../../toolchain/modelIdentity";
import { clampNote } from "../../host/gpu";
import type { Platform, Prepared } from "../../contracts/platform";
import type { Settings } from "../../settings/schema";
import { prepareStore, type DeclareStore } from "../../stores";
import { deviceHere, type Device } from "../../host/device";
import { Minio, RayCluster, SparkCluster, Supervisor } from "./components";
import type { Inspected } from "../../stack/records";
import { inspect, stoppedServices } from "./status";
import { preflight } from "./preflight";
import { Toolchain } from "../../toolchain/toolchain";

/** What was found out about the machine and the stack before anything is declared. */
export interface Surroundings {
  readonly observed: Inspected;
  readonly device: Device;
  /** Identity of the model file that jobs load. */
  readonly model: string;
  /** The store that is there already, where the stack is not to have its own. */
  readonly declareStore?: DeclareStore;
}

/**
 * Looks whether target `local` can stand here: MinIO (or a store that is there already), Spark and
 * Ray as processes of this user under one supervisor.
 *
 * @returns the settings as they are, and what declares them
 * @throws UserError with what is missing or taken; nothing was written
 */
export async function prepare(
  settings: Settings,
  stack: string,
  id?: string,
): Promise<Prepared<Settings>> {
  const device = deviceHere(settings.gpu);
  const model = modelIdentity(settings);
  for (const warning of [device.warning, clampNote(settings.gpuWorkers, device.gpus)]) {
    if (warning) await pulumi.log.warn(warning);
  }
  const declareStore = await prepareStore(settings, stack, id);
  const observed = await inspect(stack);
  await preflight(settings, stack, observed, device.device, declareStore === undefined);
  const stopped = stoppedServices(stack, observed);
  if (stopped.length > 0) await pulumi.log.info(`services stopped: ${stopped.join(", ")}`);
  return {
    settings,
    declare: () => declare(settings, stack, { observed, device, model, declareStore }),
  };
}

/** Declares the platform's resources. */
export function declare(settings: Settings, stack: string, around: Surroundings): Platform {
  const { observed, device, model, declareStore } = around;
  const toolchain = new Toolchain("toolchain", {
    settings,
    device: device.device,
    model,
    observed,
    minio: declareStore === undefined,
  });
  const { python, minioBinary } = toolchain;
  const credentials = new KeptCredentials("credentials", {
    settings,
    stack,
    generation: observed.generation("credentials"),
  });
  const supervisor = new Supervisor("supervisor", { python, credentials, observed });
  const objectStore = declareStore
    ? declareStore(credentials)
    : new Minio("minio", {
        supervisor,
        binary: minioBinary!,
        observed,
        portOffset: settings.portOffset,
      });
  const spark = new SparkCluster("spark", { supervisor, settings });
  const ray = new RayCluster("ray", { supervisor, settings, gpus: device.gpus });

  return {
    objectStore,
    sparkUiUrl: spark.uiUrl,
    rayDashboardUrl: ray.dashboardUrl,
    device: device.device,
    python: python.resource,
    quiet: [...toolchain.all, objectStore.ready, ...spark.all, ray.head],
    environment: environmentHash(device.device),
    model,
  };
}
