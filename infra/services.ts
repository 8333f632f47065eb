import type { ports } from "./settings/ports";
import type { Credentials } from "./stack/credentials";

/** What differs between the places that services are started in: this machine, or containers. */
export interface Place {
  /** The address that services listen on; empty: all of them. */
  readonly bind: string;
  /** Under which name a service is found by the others. */
  readonly host: (service: string) => string;
  readonly ports: ReturnType<typeof ports>;
  /** Whether other programs have ports on the same network, so that every listener needs its own. */
  readonly sharedNetwork: boolean;
  /** Where the files of {@link configurationFiles} are. */
  readonly configuration: string;
  readonly minio: { readonly program: string; readonly data: string };
  readonly python: string;
  /** Environment of all that runs our Python code. */
  readonly engine: Readonly<Record<string, string>>;
  readonly spark: {
    readonly home: string;
    /** Where a daemon has what it needs while it works. */
    readonly folder: (service: string) => string;
    /** The program by which a worker finds its GPUs. */
    readonly findGpus: string;
    readonly env: Readonly<Record<string, string>>;
  };
  readonly ray: {
    readonly env: Readonly<Record<string, string>>;
    readonly options: Readonly<Record<string, string>>;
  };
}

/** A sign that a service works: its port takes connections; with a path, it answers 200 with `text`. */
export type Health =
  | { readonly port: number; readonly path: string; readonly text?: string }
  | { readonly port: number };

/** A service, in words that supervisord and containers have alike. */
export interface ServiceSpec {
  readonly argv: readonly string[];
  /** Nothing secret is in it. */
  readonly env: Readonly<Record<string, string>>;
  readonly health: readonly Health[];
  /** How long it may take until it is healthy. */
  readonly startSeconds: number;
  /** How long it may take to end before it is killed. */
  readonly stopSeconds: number;
  /** @default TERM */
  readonly stopSignal?: "KILL";
  /** How long it must live on before its health is believed. @default 0 */
  readonly settleSeconds?: number;
}

export const minioRegion = "us-east-1";

/** The files that services read their secrets and settings from, by name. */
export function configurationFiles(
  { minioRootUser, minioRootPassword, sparkSecret }: Credentials,
  consoleUrl: string,
): { readonly "minio.env": string; readonly "spark-daemons.conf": string } {
  const minio = {
    MINIO_ROOT_USER: minioRootUser,
    MINIO_ROOT_PASSWORD: minioRootPassword,
    MINIO_BROWSER_REDIRECT_URL: consoleUrl,
    MINIO_SITE_REGION: minioRegion,
    MINIO_UPDATE: "off",
    MINIO_CALLHOME_ENABLE: "off",
  };
  // MinIO removes the quotes around a value and leaves the rest as it is.
  const lines = Object.entries(minio).map(([name, value]) => `${name}="${value}"\n`);
  return {
    "minio.env": lines.join(""),
    "spark-daemons.conf": properties({
      ...sparkAuthentication(sparkSecret),
      "spark.master.rest.enabled": "false",
      "spark.ui.killEnabled": "false",
      "spark.worker.cleanup.enabled": "true",
      "spark.worker.cleanup.interval": "600",
      "spark.worker.cleanup.appDataTtl": "3600",
      "spark.deploy.retainedApplications": "50",
    }),
  };
}

export function sparkAuthentication(secret: string): Record<string, string> {
  return { "spark.authenticate": "true", "spark.authenticate.secret": secret };
}

/** The format of java.util.Properties, in which a backslash is doubled. */
export function properties(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\")}\n`)
    .join("");
}

export function minio(place: Place): ServiceSpec {
  const { api, console } = place.ports.minio;
  const { program, data } = place.minio;
  return {
    argv: [
      ...[program, "server", "--quiet", "--address", `${place.bind}:${api}`],
      ...["--console-address", `${place.bind}:${console}`, data],
    ],
    env: { MINIO_CONFIG_ENV_FILE: `${place.configuration}/minio.env` },
    health: [{ port: api, path: "/minio/health/ready" }, { port: console }],
    startSeconds: 120,
    stopSeconds: 15,
  };
}

export function sparkMasterUrl({ host, ports }: Place): string {
  return `spark://${host("spark-master")}:${ports.sparkMaster.rpc}`;
}

export function sparkMaster(place: Place): ServiceSpec {
  const { rpc, ui } = place.ports.sparkMaster;
  return {
    ...sparkDaemon(place, "spark-master", ["master.Master", rpc, ui]),
    health: [{ port: ui, path: "/json/", text: '"status" : "ALIVE"' }],
  };
}

export interface SparkResources {
  readonly cores: number;
  readonly memoryBytes: number;
  /** GPUs as CUDA counts them. */
  readonly gpus: readonly number[];
}

/**
 * The GPUs that a Spark worker offers. Each is one worker's, also where all workers see all of them;
 * as many workers as a run takes executors share them out.
 */
export function sparkGpus(index: number, executors: number, gpus: number): number[] {
  return [...Array(gpus).keys()].filter((gpu) => gpu % executors === index - 1);
}

/** @param index from 1 */
export function sparkWorker(
  place: Place,
  index: number,
  { cores, memoryBytes, gpus }: SparkResources,
): ServiceSpec {
  const name = `spark-worker-${index}`;
  const { rpc, ui } = place.ports.sparkWorker(index);
  const daemon = sparkDaemon(place, name, ["worker.Worker", rpc, ui]);
  const master = sparkMasterUrl(place);
  return {
    ...daemon,
    argv: [
      ...[...daemon.argv, "--cores", String(cores), "--memory", sparkSize(memoryBytes)],
      ...["--work-dir", `${place.spark.folder(name)}/work`, master],
    ],
    env: {
      ...daemon.env,
      ...gpusOf(place, gpus),
      SPARK_LOCAL_DIRS: `${place.spark.folder(name)}/local`,
    },
    // A worker names its master when it has registered there.
    health: [{ port: ui, path: "/json/", text: `"masterurl" : "${master}"` }],
  };
}

/** What makes a worker offer GPUs, see "Custom Resource Scheduling" in Spark's configuration guide. */
function gpusOf(place: Place, gpus: readonly number[]): Record<string, string> {
  if (gpus.length === 0) return {};
  const resource = "-Dspark.worker.resource.gpu";
  return {
    SPARK_WORKER_GPUS: gpus.join(" "),
    SPARK_WORKER_OPTS: `${resource}.amount=${gpus.length} ${resource}.discoveryScript=${place.spark.findGpus}`,
  };
}

export function sparkSize(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)}m`;
}

function sparkDaemon(
  place: Place,
  name: string,
  [daemon, rpc, ui]: readonly [string, number, number],
): Omit<ServiceSpec, "health"> {
  return {
    argv: [
      ...[`${place.spark.home}/bin/spark-class`, `org.apache.spark.deploy.${daemon}`],
      ...["--host", place.host(name), "--port", String(rpc), "--webui-port", String(ui)],
      ...["--properties-file", `${place.configuration}/spark-daemons.conf`],
    ],
    env: {
      ...place.engine,
      ...place.spark.env,
      SPARK_HOME: place.spark.home,
      // Spark's own default is 1g, for hundreds of workers; a stack has 16 at most.
      SPARK_DAEMON_MEMORY: "256m",
      // A daemon does little: the plain collector and compiler save memory and a second of start.
      SPARK_DAEMON_JAVA_OPTS: "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
      // Links on the pages lead to this machine, where the pages are published.
      SPARK_PUBLIC_DNS: "127.0.0.1",
    },
    startSeconds: 180,
    stopSeconds: 15,
  };
}

export interface RayResources {
  readonly cpus: number;
  readonly gpus: number;
  readonly objectStoreBytes: number;
}

/** What a process needs to take part in, or talk to, the Ray cluster. No secret is in it. */
export function rayAccess(tokenFile: string): Record<string, string> {
  // Without the mode, Ray takes the user's own token from the home folder.
  return { RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN_PATH: tokenFile };
}

export function rayHead(place: Place, resources: RayResources): ServiceSpec {
  const { gcs, dashboard, client } = place.ports.ray;
  const node = rayNode(place, resources, {
    port: gcs,
    "dashboard-host": place.bind || "0.0.0.0",
    "dashboard-port": dashboard,
    "ray-client-server-port": client,
  });
  return {
    ...node,
    argv: [...node.argv, "--head"],
    health: [{ port: dashboard, path: "/api/gcs_healthz" }, ...node.health, { port: client }],
  };
}

export function rayWorker(place: Place, resources: RayResources): ServiceSpec {
  return rayNode(place, resources, { address: `${place.host("ray-head")}:${place.ports.ray.gcs}` });
}

function rayNode(
  place: Place,
  { cpus, gpus, objectStoreBytes }: RayResources,
  options: Readonly<Record<string, string | number>>,
): ServiceSpec {
  const { ray } = place.ports;
  const all = {
    ...options,
    "num-cpus": cpus,
    "num-gpus": gpus,
    "object-store-memory": objectStoreBytes,
    "dashboard-agent-listen-port": ray.dashboardAgent,
    "log-color": "false",
    ...(place.sharedNetwork
      ? {
          "node-ip-address": place.bind,
          "node-manager-port": ray.nodeManager,
          "object-manager-port": ray.objectManager,
          "runtime-env-agent-port": ray.runtimeEnvAgent,
          "dashboard-agent-grpc-port": ray.dashboardAgentGrpc,
          "metrics-export-port": ray.metrics,
          "min-worker-port": ray.firstWorker,
          "max-worker-port": ray.lastWorker,
        }
      : {}),
    ...place.ray.options,
  };
  return {
    argv: [
      ...[place.python, "-m", "engine_comparison.ray_node", "start"],
      ...["--block", "--disable-usage-stats"],
      ...Object.entries(all).map(([name, value]) => `--${name}=${value}`),
    ],
    env: {
      ...place.engine,
      ...place.ray.env,
      RAY_USAGE_STATS_ENABLED: "0",
      // Workers are slow to start: an idle one is kept for the next task of its job. After ten minutes
      // it ends, so that a job that goes on without it gets its memory. How many may be idle
      // (num_workers_soft_limit) does not matter meanwhile: Ray ends one only if both are passed.
      RAY_idle_worker_killing_time_threshold_ms: "600000",
      // The two listeners that `ray start` has no option for.
      ...(place.sharedNetwork
        ? {
            DASHBOARD_METRIC_PORT: String(ray.dashboardMetrics),
            AUTOSCALER_METRIC_PORT: String(ray.autoscalerMetrics),
          }
        : {}),
    },
    health: [{ port: ray.dashboardAgent, path: "/api/local_raylet_healthz" }],
    startSeconds: 300,
    // It ignores SIGTERM, and keeps nothing that is worth a wait.
    stopSignal: "KILL",
    stopSeconds: 2,
    // It looks once a second whether all of its processes live, and ends a second later if not.
    settleSeconds: 2.5,
  };
}
