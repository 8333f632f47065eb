import { holderOf, isFree, nextFreeOffset, type TakenPort } from "../../host/freePorts";
import {
  rayAccess,
  sparkMasterUrl as masterOf,
  type Health,
  type Place,
  type ServiceSpec,
} from "../../services";
import { ports } from "../../settings/ports";
import { oneThread } from "../../toolchain/tools";
import type { Role } from "./inspect";

/** The ports inside the network, which no setting changes. */
export const inside = ports(0);

/** The object store as containers see it. */
export const storeEndpoint = `http://minio:${inside.minio.api}`;

export const rayHeadAddress = `ray-head:${inside.ray.gcs}`;

/** User and group of the images' processes. */
export const user = "10001:10001";

/** Where things are in the containers. */
export const paths = {
  /** The volume with the secrets. */
  credentials: "/run/credentials",
  /** The volume for large temporary files. */
  scratch: "/scratch",
  /** The volume with the user's custom model, if there is one. */
  customModel: "/opt/own-model",
  jars: "/opt/jars",
  java: "/opt/java",
  /** The model of the image. */
  model: "/opt/model",
  spark: "/opt/spark",
} as const;

/** What all containers of the engine image know. */
const engineEnvs = { ...oneThread, PYSPARK_PYTHON: "/opt/venv/bin/python" };

const containerRayAccess = rayAccess(`${paths.credentials}/ray-token`);

/** Containers on a network of their own, each under its role's name. */
export const place: Place = {
  bind: "",
  host: (service) => service,
  ports: { ...inside, sparkWorker: () => inside.sparkWorker(1) },
  sharedNetwork: false,
  configuration: paths.credentials,
  minio: { program: "minio", data: "/data" },
  python: "python",
  engine: engineEnvs,
  spark: {
    home: paths.spark,
    folder: (service) => `${paths.scratch}/${service}`,
    findGpus: "/opt/engine-comparison/engine_comparison/spark_gpus.sh",
    env: {},
  },
  ray: {
    env: {
      ...containerRayAccess,
      // Logs are in /tmp, which is memory.
      RAY_ROTATION_MAX_BYTES: "10000000",
      RAY_ROTATION_BACKUP_COUNT: "1",
    },
    options: { "object-spilling-directory": paths.scratch },
  },
};

export const sparkMasterUrl = masterOf(place);

/** A service as a container runs it: whether it is healthy may also be said by a script. */
export type ContainerSpec = Omit<ServiceSpec, "health"> & {
  readonly health: readonly Health[] | string;
};

/** The container where people work, and where all jobs run but those on the Ray cluster. */
export const app: ContainerSpec = {
  argv: ["sleep", "infinity"],
  env: {
    ...engineEnvs,
    ...containerRayAccess,
    SPARK_MASTER: sparkMasterUrl,
    SPARK_CONF_DIR: paths.credentials,
    // Ray Client is for people; jobs do not use it, because it fails now and then.
    RAY_ADDRESS: `ray://ray-head:${inside.ray.client}`,
    DAFT_RUNNER: "ray",
  },
  health: `test -r ${paths.credentials}/store.env && test -w ${paths.scratch}`,
  startSeconds: 30,
  stopSeconds: 2,
};

/** A script for bash that succeeds inside a container of a healthy service; the images have no curl. */
export function healthScript(health: ContainerSpec["health"]): string {
  if (typeof health === "string") return health;
  return health
    .map((each) =>
      "path" in each
        ? `exec 3<>/dev/tcp/127.0.0.1/${each.port} && ` +
          `printf 'GET ${each.path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && ` +
          `answer=$(cat <&3) && [[ $answer == *' 200 '*'${each.text ?? ""}'* ]]`
        : `exec 3<>/dev/tcp/127.0.0.1/${each.port}`,
    )
    .join(" && ");
}

/**
 * The ports that are published on 127.0.0.1: what people and this machine's scripts need, nothing
 * else. Drivers run inside the network, so Spark's 7077 and Ray's 6379 stay there.
 */
export function published(portOffset: number) {
  /** @param internal the port inside; the one on 127.0.0.1 is `external` */
  const row = (role: Role, purpose: string, internal: number) => ({
    ...{ role, purpose, internal, external: internal + portOffset },
  });
  return [
    row("minio", "MinIO's S3 API", inside.minio.api),
    row("minio", "MinIO's console", inside.minio.console),
    row("spark-master", "Spark master's page", inside.sparkMaster.ui),
    row("ray-head", "Ray dashboard", inside.ray.dashboard),
    row("ray-head", "Ray client server", inside.ray.client),
  ];
}

/** The address on this machine of a port that is published. */
export function urlOf(portOffset: number, internal: number): string {
  return `http://127.0.0.1:${internal + portOffset}`;
}

/**
 * The first port that is not free where the container that is to have it does not run yet.
 *
 * @param runs whether the role's container of this stack runs, and so holds its ports
 */
export async function takenPort(
  portOffset: number,
  runs: (role: Role) => boolean,
): Promise<TakenPort | undefined> {
  for (const { role, purpose, external: port } of published(portOffset)) {
    if (runs(role) || (await isFree(port))) continue;
    const portsAt = (offset: number) => published(offset).map(({ external }) => external);
    const freeOffset = await nextFreeOffset(portOffset, portsAt);
    return { port, purpose, who: holderOf(port), freeOffset };
  }
  return undefined;
}
