import * as pulumi from "@pulumi/pulumi";
import { contextOf, preflight } from "../../contracts/check";
import { shortHash } from "../../stack/files";
import { environmentHash, minioVersion } from "../../toolchain/locks";
import { modelId } from "../../toolchain/checks";
import type { Platform, Prepared } from "../../contracts/platform";
import type { ContainerRole } from "../../settings/platforms";
import { sparkSize } from "../../services";
import type { Settings } from "../../settings/schema";
import { App, Minio, RayCluster, SparkCluster } from "./components";
import { checks, daemonOf, foundOf, gpuPlanOf } from "./checks";
import { hasContainerdStore, recordDaemon, type Daemon, type DaemonInfo } from "./daemon";
import type { Found } from "./inspect";
import { gpuArgs, type GpuPlan } from "./gpu";
import { Ground } from "./ground";
import { baseImage, Image } from "./image";
import { customModelFolder, imagePaths, inside, urlOf } from "./place";
import { sizeOf } from "./sizes";
import { Credentials, customModel } from "./volumes";

/**
 * Looks whether the seed's containers can stand on this machine's Docker daemon.
 *
 * @returns the settings as they are, and what declares them
 * @throws UserError before anything is written: no Docker, no GPU that is required, a name or port
 *   that is taken, a container that does not fit
 */
export async function prepare(
  settings: Settings,
  stack: string,
  id?: string,
): Promise<Prepared<Settings>> {
  const context = contextOf({ stack, settings, id, deployed: false });
  await preflight(context, checks);
  const { host, info } = context.facts(daemonOf);
  const daemon = { host, id: info.ID ?? "" };
  const plan = context.facts(gpuPlanOf);
  const found = context.facts(foundOf);
  const model = context.facts(modelId);
  tell(plan, settings);
  if (hasContainerdStore(info)) {
    void pulumi.log.warn(
      "this Docker daemon keeps images in containerd's store, with which the provider's builds are " +
        "not tested: if an image is not found after its build, turn that store off",
    );
  }
  return {
    settings,
    declare(id) {
      if (!pulumi.runtime.isDryRun()) recordDaemon(stack, daemon);
      return declare(settings, stack, { id, daemon, info, found, plan, model });
    },
  };
}

/** What was found out about the daemon and the stack before anything is declared. */
export interface Surroundings {
  readonly id: pulumi.Output<string>;
  readonly daemon: Daemon;
  readonly info: DaemonInfo;
  readonly found: Found;
  readonly plan: GpuPlan;
  /** Identity of the model file that jobs load. */
  readonly model: string;
}

/** Declares the platform's resources, in the order in which they become ready. */
export function declare(settings: Settings, stack: string, around: Surroundings): Platform {
  const { info, plan } = around;
  const ground = new Ground("ground", { stack, settings, ...around });
  const base = baseImage(settings, plan.device);
  const minioImage = new Image("minio", {
    ground,
    settings,
    buildArgs: {
      BASE_IMAGE: baseImage(settings, "cpu"),
      MINIO_VERSION: minioVersion,
      MINIO_COMMIT: minioVersion.split("-").pop()!,
    },
  });
  const engineImage = new Image("engine", {
    ground,
    settings,
    buildArgs: { BASE_IMAGE: base, DEVICE: plan.device },
  });
  const credentials = new Credentials("docker-credentials", {
    ground,
    settings,
    image: minioImage.imageName,
    imageReady: minioImage.image,
  });

  const { portOffset } = settings;
  const size = (role: ContainerRole) => sizeOf(role, settings, info.NCPU ?? 1);
  const { generations } = credentials;
  const shared = { ground, portOffset };
  const engine = { ...shared, image: engineImage.imageName };
  const gpu = gpuArgs(plan);
  const gpus = plan.device === "cuda" ? plan.gpus.length : 0;
  const model = customModel({
    ground,
    settings,
    image: minioImage.imageName,
    imageReady: minioImage.image,
  });
  const opts = {
    dependsOn: [engineImage.image, credentials.placed, ...(model ? [model] : [])],
  };

  const minio = new Minio(
    "object-store",
    {
      ...shared,
      secretVersion: pulumi.interpolate`${generations.minio}`,
      image: minioImage.imageName,
      size: size("minio"),
    },
    { dependsOn: [minioImage.image, credentials.placed] },
  );
  const spark = new SparkCluster(
    "spark",
    {
      ...engine,
      secretVersion: pulumi.interpolate`${generations.spark}`,
      settings,
      gpu,
      masterSize: size("spark-master"),
      workerSize: size("spark-worker"),
    },
    opts,
  );
  const ray = new RayCluster(
    "ray",
    {
      ...engine,
      secretVersion: pulumi.interpolate`${generations.ray}`,
      settings,
      gpu,
      gpus,
      headSize: size("ray-head"),
      workerSize: size("ray-worker"),
    },
    opts,
  );
  const services = [minio.service, spark.master, ...spark.workers, ray.head, ray.worker];
  const app = new App(
    "workplace",
    {
      ...engine,
      // It has all of them; what a shell in it has read would be the old ones.
      secretVersion: pulumi.interpolate`${generations.minio}.${generations.spark}.${generations.ray}`,
      gpu,
      size: size("app"),
      facts: jobFacts(settings, gpus),
    },
    { dependsOn: services.map(({ ready }) => ready) },
  );

  return {
    objectStore: {
      endpoint: urlOf(portOffset, inside.minio.api),
      consoleUrl: urlOf(portOffset, inside.minio.console),
      marker: `volume ${ground.volumeGenerations["minio-data"]}`,
      ready: minio.service.ready,
      data: ground.data,
    },
    sparkUiUrl: urlOf(portOffset, inside.sparkMaster.ui),
    rayDashboardUrl: urlOf(portOffset, inside.ray.dashboard),
    device: plan.device,
    python: app.service.ready,
    quiet: [...services, app.service].map(({ ready }) => ready),
    environment: shortHash({ locks: environmentHash(plan.device), base }),
    model: around.model,
  };
}

/** What the scripts that start jobs in the containers have to know; see executor.ts. */
function jobFacts(settings: Settings, gpus: number): Record<string, string | number> {
  return {
    rayCpus: settings.rayCpus,
    gpus,
    sparkWorkers: settings.sparkWorkers,
    sparkWorkerCores: settings.sparkWorkerCores,
    sparkWorkerMemory: sparkSize(settings.sparkWorkerMemory),
    modelFolder: settings.modelPath === undefined ? imagePaths.model : customModelFolder,
  };
}

/** Says what the models run on, and why. */
function tell(plan: GpuPlan, settings: Settings): void {
  if (plan.device === "cuda") void pulumi.log.info(`models run on ${plan.gpus.join(", ")}`);
  else if (settings.gpu !== "off")
    void pulumi.log.info(`models run on the CPU: ${plan.missing?.what}`);
  for (const note of plan.device === "cuda" ? plan.notes : []) void pulumi.log.warn(note);
}
