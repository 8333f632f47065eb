import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../../stack/files";
import type { Platform, Prepared } from "../../contracts/platform";
import type { StackContext } from "../../host/checks";
import * as services from "../../services";
import type { Settings } from "../../settings/schema";
import { readCredentials, type SecretOwner } from "../../stack/credentials";
import { KeptCredentials, step } from "../../stack/step";
import { generation } from "../../stack/records";
import { modelId } from "../../toolchain/checks";
import { environmentHash, minioVersion, modelIdentity } from "../../toolchain/locks";
import { Base, baseImage, Image, type BaseArgs } from "./base";
import { daemonOf, existingOf, gpuPlanOf } from "./checks";
import { daemonRecord, hasContainerdStore } from "./daemon";
import { appFacts } from "./executor";
import { steps, workerRoles, type Role } from "./inspect";
import { app, inside, place, urlOf, type ContainerSpec } from "./place";
import { containerRole, gpuArgs, headObjectStoreMib, sizeOf, type GpuPlan } from "./resources";
import { engineMounts, secretsMount, Service, type ServiceArgs } from "./service";

/** The seed's containers on this machine's Docker daemon. */
export async function prepare(context: StackContext): Promise<Prepared<Settings>> {
  const { settings, stack } = context;
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
      if (!pulumi.runtime.isDryRun()) daemonRecord.write(stack, daemon);
      return declare(settings, stack, { id, daemon, info, existing, plan, model });
    },
  };
}

interface Facts extends Omit<BaseArgs, "stack" | "settings"> {
  readonly plan: GpuPlan;
  readonly model: string;
}

export function declare(settings: Settings, stack: string, facts: Facts): Platform {
  const { info, plan } = facts;
  const { portOffset } = settings;
  const base = new Base("docker", { stack, settings, ...facts });
  const engineBase = baseImage(settings, plan.device);
  const minioImage = new Image("image-minio", {
    ...{ purpose: "minio", base },
    buildArgs: {
      BASE_IMAGE: baseImage(settings, "cpu"),
      MINIO_VERSION: minioVersion,
      MINIO_COMMIT: minioVersion.split("-").pop()!,
    },
  });
  const engineImage = new Image("image-engine", {
    ...{ purpose: "engine", base },
    buildArgs: { BASE_IMAGE: engineBase, DEVICE: plan.device },
  });
  const credentials = placeCredentials(base, minioImage);
  const model = customModel(base, minioImage);

  /** Declares a container, which starts when the services before it do their work. */
  const container = (
    role: Role,
    spec: ContainerSpec,
    secretOwners: readonly SecretOwner[],
    more: Partial<Omit<ServiceArgs, "after">> & { readonly after?: readonly Service[] } = {},
  ) => {
    const ready = (more.after ?? []).map(({ ready }) => ready);
    const secretVersion = credentials.generations.apply((all) =>
      secretOwners.map((owner) => all[owner]).join("."),
    );
    const size = sizeOf(containerRole(role), settings, info.NCPU ?? 1);
    const mounts = engineMounts(base);
    return new Service(role, {
      ...{ base, role, portOffset, spec, secretVersion, size, mounts, image: engineImage, ...more },
      after: [credentials.placed, ...(model ? [model] : []), ...ready],
    });
  };
  const secrets = secretsMount(base);
  const gpu = gpuArgs(plan);
  const gpus = plan.device === "cuda" ? plan.gpus.length : 0;
  const { rayCpus: cpus, sparkWorkerCores: cores, sparkWorkerMemory: memoryBytes } = settings;

  const minio = container("minio", services.minio(place), ["minio"], {
    image: minioImage,
    mounts: [{ volume: base.data, path: place.minio.data }, secrets],
    facts: { endpoint: urlOf(portOffset, inside.minio.api) },
  });
  const master = container("spark-master", services.sparkMaster(place), ["spark"], {
    mounts: [secrets],
  });
  const workers = workerRoles(settings.sparkWorkers).map((role, n) => {
    const own = services.sparkGpus(n + 1, settings.sparkExecutors, gpus);
    const spec = services.sparkWorker(place, n + 1, { cores, memoryBytes, gpus: own });
    return container(role, spec, ["spark"], { after: [master], gpu });
  });
  // The head runs no tasks but has the drivers; the worker declares the GPUs, which all containers see.
  const ofHead = { cpus: 0, gpus: 0, objectStoreBytes: headObjectStoreMib * 2 ** 20 };
  const head = container("ray-head", services.rayHead(place, ofHead), ["ray"]);
  const ofWorker = { cpus, gpus, objectStoreBytes: settings.rayObjectStoreMemory };
  const rayWorker = container("ray-worker", services.rayWorker(place, ofWorker), ["ray"], {
    ...{ after: [head], gpu },
  });
  const after = [minio, master, ...workers, head, rayWorker];
  // It has all secrets; what a shell in it has read would be the old ones.
  const appContainer = container("app", app, ["minio", "spark", "ray"], {
    ...{ after, gpu, facts: appFacts(settings) },
  });

  return {
    objectStore: {
      endpoint: urlOf(portOffset, inside.minio.api),
      consoleUrl: urlOf(portOffset, inside.minio.console),
      dataId: `volume ${base.volumeGenerations["minio-data"]}`,
      ready: minio.ready,
      data: base.data,
    },
    sparkUiUrl: urlOf(portOffset, inside.sparkMaster.ui),
    rayDashboardUrl: urlOf(portOffset, inside.ray.dashboard),
    device: plan.device,
    gpus,
    python: appContainer.ready,
    quiet: [...after, appContainer].map(({ ready }) => ready),
    environment: shortHash({ locks: environmentHash(plan.device), base: engineBase }),
    model: facts.model,
  };
}

/**
 * The stack's secrets: kept in files of this user, and copied by a container that lives for a moment
 * into a volume that only the services' user can read. So `docker inspect`, the state, previews and
 * process lists show none; whoever may use Docker or is root can read them, as anything on this machine.
 *
 * @param writer an image with bash, to write into the volume with
 * @returns what rises when a secret changes, and the step after which the volume has the files
 */
function placeCredentials(base: Base, writer: Image) {
  const { stack, settings } = base.args;
  const exist = () => readCredentials(stack) !== undefined;
  const kept = { settings, stack, generation: generation(stack, "credentials", exist) };
  const { generations } = new KeptCredentials("credentials", kept);
  const spec = {
    generations,
    volume: base.credentials.name,
    image: writer.imageName,
    network: base.network.id,
    volumes: base.volumeGenerations,
    consoleUrl: urlOf(settings.portOffset, inside.minio.console),
    generation: base.networkGeneration,
  };
  const placed = step(
    `${base.name}-credentials`,
    { kind: "docker-credentials", record: steps.base, spec },
    { parent: base, dependsOn: writer.image, deletedWith: base.cleanup },
  );
  return { generations, placed };
}

/**
 * Copies the user's custom model into a volume that the engines' containers read it from.
 *
 * @param writer an image with bash, to write into the volume with
 * @returns the step; undefined where the settings name no model, and the image's own is taken
 */
function customModel(base: Base, writer: Image): pulumi.Resource | undefined {
  if (!base.model) return undefined;
  const { settings } = base.args;
  const spec = {
    model: modelIdentity(settings),
    modelPath: settings.modelPath,
    volume: base.model.name,
    generation: base.volumeGenerations.model,
    image: writer.imageName,
  };
  return step(
    `${base.name}-model`,
    { kind: "docker-model", record: steps.model, spec },
    { parent: base, dependsOn: writer.image, deletedWith: base.cleanup },
  );
}

function logPlan(plan: GpuPlan, settings: Settings): void {
  if (plan.device === "cuda") void pulumi.log.info(`models run on ${plan.gpus.join(", ")}`);
  else if (settings.gpu !== "off")
    void pulumi.log.info(`models run on the CPU: ${plan.missing?.what}`);
  for (const note of plan.device === "cuda" ? plan.notes : []) void pulumi.log.warn(note);
}
