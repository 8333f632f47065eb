import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../../stack/files";
import { contextOf, preflight } from "../../contracts/check";
import type { Platform, Prepared } from "../../contracts/platform";
import { sparkSize } from "../../services";
import type { ContainerRole } from "../../settings/platforms";
import type { Settings } from "../../settings/schema";
import { readCredentials, type Generations } from "../../stack/credentials";
import { KeptCredentials } from "../../stack/step";
import { generation } from "../../stack/records";
import { step } from "../../stack/step";
import { modelId } from "../../toolchain/checks";
import { environmentHash, minioVersion } from "../../toolchain/locks";
import { modelIdentity } from "../../toolchain/locks";
import { Base, baseImage, Image } from "./base";
import { checks, daemonOf, existingOf, gpuPlanOf } from "./checks";
import { appService, minioService, RayCluster, SparkCluster } from "./components";
import { hasContainerdStore, recordDaemon, type Daemon, type DaemonInfo } from "./daemon";
import { baseStep, modelStep, type Existing } from "./inspect";
import { customModelFolder, imagePaths, inside, urlOf } from "./place";
import { gpuArgs, sizeOf, type GpuPlan } from "./resources";

/**
 * Checks that the seed's containers can run on this machine's Docker daemon.
 *
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
  const existing = context.facts(existingOf);
  const model = context.facts(modelId);
  logPlan(plan, settings);
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
      return declare(settings, stack, { id, daemon, info, existing, plan, model });
    },
  };
}

/** What is known of the daemon and the stack before anything is declared. */
interface Facts {
  readonly id: pulumi.Output<string>;
  readonly daemon: Daemon;
  readonly info: DaemonInfo;
  readonly existing: Existing;
  readonly plan: GpuPlan;
  /** Identity of the model file that jobs load. */
  readonly model: string;
}

/** Declares the platform's resources, in the order in which they become ready. */
export function declare(settings: Settings, stack: string, facts: Facts): Platform {
  const { info, plan } = facts;
  const { portOffset } = settings;
  const base = new Base("base", { stack, settings, ...facts });
  const engineBase = baseImage(settings, plan.device);
  const minioImage = new Image("minio", base, settings, {
    BASE_IMAGE: baseImage(settings, "cpu"),
    MINIO_VERSION: minioVersion,
    MINIO_COMMIT: minioVersion.split("-").pop()!,
  });
  const engineImage = new Image("engine", base, settings, {
    BASE_IMAGE: engineBase,
    DEVICE: plan.device,
  });
  const credentials = new Credentials("docker-credentials", base, settings, minioImage);
  const { generations } = credentials;
  const model = customModel(base, settings, minioImage);

  const size = (role: ContainerRole) => sizeOf(role, settings, info.NCPU ?? 1);
  const engine = { base, portOffset, settings, image: engineImage.imageName, gpu: gpuArgs(plan) };
  const gpus = plan.device === "cuda" ? plan.gpus.length : 0;
  const opts = { dependsOn: [engineImage.image, credentials.placed, ...(model ? [model] : [])] };

  const minio = minioService(
    {
      base,
      portOffset,
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
      sizes: [size("spark-master"), size("spark-worker")],
    },
    opts,
  );
  const ray = new RayCluster(
    "ray",
    {
      ...engine,
      secretVersion: pulumi.interpolate`${generations.ray}`,
      gpus,
      sizes: [size("ray-head"), size("ray-worker")],
    },
    opts,
  );
  const services = [minio, spark.master, ...spark.workers, ray.head, ray.worker];
  const app = appService(
    {
      ...engine,
      // It has all of them; what a shell in it has read would be the old ones.
      secretVersion: pulumi.interpolate`${generations.minio}.${generations.spark}.${generations.ray}`,
      size: size("app"),
      facts: jobFacts(settings, gpus),
    },
    { dependsOn: services.map(({ ready }) => ready) },
  );

  return {
    objectStore: {
      endpoint: urlOf(portOffset, inside.minio.api),
      consoleUrl: urlOf(portOffset, inside.minio.console),
      marker: `volume ${base.volumeGenerations["minio-data"]}`,
      ready: minio.ready,
      data: base.data,
    },
    sparkUiUrl: urlOf(portOffset, inside.sparkMaster.ui),
    rayDashboardUrl: urlOf(portOffset, inside.ray.dashboard),
    device: plan.device,
    python: app.ready,
    quiet: [...services, app].map(({ ready }) => ready),
    environment: shortHash({ locks: environmentHash(plan.device), base: engineBase }),
    model: facts.model,
  };
}

/**
 * The stack's secrets: kept in files of this user, and copied by a container that lives for a moment
 * into a volume that only the services' user can read. So `docker inspect`, the state, previews and
 * process lists show none; whoever may use Docker or is root can read them, as anything on this machine.
 */
class Credentials extends pulumi.ComponentResource {
  /** Each rises when its secret changes. */
  readonly generations: pulumi.Output<Generations>;
  /** Exists when the volume has the files. */
  readonly placed: pulumi.Resource;

  /** @param writer an image with bash, to write into the volume with */
  constructor(name: string, base: Base, settings: Settings, writer: Image) {
    super("engine-comparison:docker:Credentials", name);
    const { stack } = base;
    const exist = () => readCredentials(stack) !== undefined;
    const kept = new KeptCredentials(
      "credentials",
      { settings, stack, generation: generation(stack, "credentials", exist) },
      { parent: this },
    );
    this.generations = kept.generations;
    const spec = {
      generations: this.generations,
      volume: base.credentials.name,
      image: writer.imageName,
      network: base.network.id,
      volumes: base.volumeGenerations,
      consoleUrl: urlOf(settings.portOffset, inside.minio.console),
      generation: base.networkGeneration,
    };
    this.placed = step(
      baseStep,
      { kind: "docker-credentials", spec },
      { parent: this, dependsOn: writer.image, deletedWith: base.cleanup },
    );
    this.registerOutputs({});
  }
}

/**
 * Copies the user's custom model into a volume that the engines' containers read it from.
 *
 * @param writer an image with bash, to write into the volume with
 * @returns the step; undefined where the settings name no model, and the image's own is taken
 */
function customModel(base: Base, settings: Settings, writer: Image): pulumi.Resource | undefined {
  if (!base.model) return undefined;
  const spec = {
    model: modelIdentity(settings),
    modelPath: settings.modelPath,
    volume: base.model.name,
    generation: base.volumeGenerations.model,
    image: writer.imageName,
  };
  return step(
    modelStep,
    { kind: "docker-model", spec },
    { parent: base, dependsOn: writer.image, deletedWith: base.cleanup },
  );
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
function logPlan(plan: GpuPlan, settings: Settings): void {
  if (plan.device === "cuda") void pulumi.log.info(`models run on ${plan.gpus.join(", ")}`);
  else if (settings.gpu !== "off")
    void pulumi.log.info(`models run on the CPU: ${plan.missing?.what}`);
  for (const note of plan.device === "cuda" ? plan.notes : []) void pulumi.log.warn(note);
}
