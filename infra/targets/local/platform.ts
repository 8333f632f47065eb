import * as pulumi from "@pulumi/pulumi";
import { contextOf, preflight } from "../../contracts/check";
import { KeptCredentials } from "../../stack/step";
import { environmentHash } from "../../toolchain/locks";
import { modelId } from "../../toolchain/checks";
import { clampNote, deviceHere, gpuFacts, unusableGpu, type Device } from "../../host/gpu";
import type { Platform, Prepared } from "../../contracts/platform";
import type { Settings } from "../../settings/schema";
import type { DeclareStore } from "../../stores";
import { preparedStore } from "../../stores/checks";
import { checks, observedOf } from "./checks";
import { Minio, RayCluster, SparkCluster, Supervisor } from "./components";
import type { Inspected } from "../../stack/records";
import { stoppedServices } from "./status";
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
  const observed = await context.facts(observedOf);
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
