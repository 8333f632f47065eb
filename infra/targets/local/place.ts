import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../../host/folders";
import { findJava } from "../../host/runtimes";
import { get, silenceAt } from "../../host/probe";
import { ports } from "../../settings/ports";
import * as services from "../../services";
import { readCredentials } from "../../stack/credentials";
import { rayFolder, stackFiles, writeWhole } from "../../stack/files";
import { environmentOf, jobEnvironment, pythonOf, toolFolder } from "../../toolchain/tools";

const here = "127.0.0.1";

export const urlOf = (port: number) => `http://${here}:${port}`;

export interface LocalSpec {
  readonly portOffset: number;
  /** Of a Spark worker. */
  readonly worker?: services.SparkResources & { readonly index: number };
  readonly ray?: services.RayResources;
  /** Of the proxy before the store: the store's host and port. */
  readonly upstream?: string;
}

/** A stack's services on this machine: at the loopback interface, in the stack folder. */
function placeOf(stack: string, portOffset: number): services.Place {
  return {
    bind: here,
    host: () => here,
    ports: ports(portOffset),
    sharedNetwork: true,
    configuration: stackFiles(stack).supervisor,
    // Which tools there are depends on the service.
    get minio() {
      const program = path.join(toolFolder(stack, "minio-binary"), "minio");
      return { program, data: stackFiles(stack).minioData };
    },
    get python() {
      return pythonOf(stack);
    },
    get engine() {
      return jobEnvironment(stack);
    },
    get spark() {
      const lib = path.join(environmentOf(stack), "lib");
      return {
        // The Spark that the Python package carries.
        home: path.join(lib, fs.readdirSync(lib)[0], "site-packages", "pyspark"),
        folder: stackFiles(stack).sparkWorker,
        findGpus: path.join(checkout, "pipelines", "engine_comparison", "spark_gpus.sh"),
        env: { JAVA_HOME: findJava().home, SPARK_LOCAL_IP: here },
      };
    },
    ray: {
      // The dashboard makes a folder for sockets, and is killed before it can remove it.
      env: { ...localRayAccess(stack), TMPDIR: rayFolder(stack) },
      options: { "temp-dir": rayFolder(stack) },
    },
  };
}

/** What a process needs to take part in, or talk to, the stack's Ray cluster. */
export function localRayAccess(stack: string): Record<string, string> {
  return {
    ...services.rayAccess(stackFiles(stack).rayToken),
    // Ray's own way, on other systems, to stay on the loopback interface; without it, the address
    // of the first interface is used, and everything listens on all of them.
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER: "0",
  };
}

/**
 * How a service is run, and what its step prints: addresses for people and jobs, nothing secret.
 */
export function localService(stack: string, name: string, spec: LocalSpec) {
  const place = placeOf(stack, spec.portOffset);
  const { ports } = place;
  const run = (service: services.ServiceSpec, result: Readonly<Record<string, unknown>>) => ({
    service: { ...service, healthy: () => healthy(service.health) },
    result,
  });
  if (spec.worker) {
    const { index, cores, memoryBytes } = spec.worker;
    const own = ports.sparkWorker(index);
    return run(services.sparkWorker(place, index, spec.worker), {
      ...{ cores, memory: services.sparkSize(memoryBytes), ui: urlOf(own.ui), ports: own },
    });
  }
  if (spec.ray) {
    const { cpus } = spec.ray;
    return run(services.rayHead(place, spec.ray), {
      ...{ address: `${here}:${ports.ray.gcs}`, dashboard: urlOf(ports.ray.dashboard) },
      ...{ cpus, ports: ports.ray },
    });
  }
  if (spec.upstream !== undefined) {
    const { api: _api, ...delayed } = ports.toxiproxy;
    const shaped = Object.entries(delayed).map(([network, port]) => [network, urlOf(port)]);
    return run(toxiproxy(stack, place, spec.upstream), {
      ...{ shaped: Object.fromEntries(shaped) as Record<string, string>, ports: ports.toxiproxy },
    });
  }
  if (name === "minio") {
    return run(services.minio(place), {
      ...{ endpoint: urlOf(ports.minio.api), console: urlOf(ports.minio.console) },
      ports: ports.minio,
    });
  }
  return run(services.sparkMaster(place), {
    ...{ master: services.sparkMasterUrl(place), ui: urlOf(ports.sparkMaster.ui) },
    ...{ driverPorts: ports.sparkDriver, ports: ports.sparkMaster },
  });
}

/** The proxy by which engines reach the store over a shaped network. */
function toxiproxy(stack: string, place: services.Place, upstream: string): services.ServiceSpec {
  const { ports, python, engine } = place;
  const { api, ...delayed } = ports.toxiproxy;
  const program = path.join(toolFolder(stack, "toxiproxy-binary"), "server");
  const listeners = Object.entries(delayed).map(([network, port]) => `${network}=${here}:${port}`);
  return {
    argv: [
      ...[python, "-m", "engine_comparison.network", program],
      ...[`${here}:${api}`, upstream, ...listeners],
    ],
    env: { ...engine, LOG_LEVEL: "error" },
    health: Object.values(delayed).map((port) => ({ port })),
    startSeconds: 60,
    stopSeconds: 5,
  };
}

/** Files for this user alone: a process's environment and arguments are seen too easily. */
export function writeConfiguration(stack: string, portOffset: number): void {
  const credentials = readCredentials(stack);
  if (!credentials) throw new Error(`stack ${stack} has no credentials`);
  const { configuration, ports } = placeOf(stack, portOffset);
  const files = services.configurationFiles(credentials, urlOf(ports.minio.console));
  for (const [name, text] of Object.entries(files)) {
    writeWhole(path.join(configuration, name), text);
  }
}

async function healthy(all: readonly services.Health[]): Promise<boolean> {
  for (const each of all) {
    const answers =
      "path" in each
        ? (await get(`${urlOf(each.port)}${each.path}`))?.includes(each.text ?? "")
        : (await silenceAt(`${here}:${each.port}`, 2_000)) === undefined;
    if (!answers) return false;
  }
  return true;
}

/** One port that a stack on target `local` listens on. */
export interface Listener {
  readonly service: string;
  /** What the port is for, as printed for people. */
  readonly purpose: string;
  readonly port: number;
  /** Whether it is one of a range, of which the service takes those that are free. */
  readonly shared?: boolean;
}

/** The table of all that listens in a stack, but for drivers, which look for ports themselves. */
export function listeners(offset: number, sparkWorkers: number): Listener[] {
  const { minio, toxiproxy, sparkMaster, sparkWorker, ray } = ports(offset);
  const row = (service: string, purpose: string, port: number) => ({ service, purpose, port });
  const ofRay = (purpose: string, port: number) => row("ray-head", purpose, port);
  return [
    row("minio", "MinIO's S3 API", minio.api),
    row("minio", "MinIO's console", minio.console),
    row("toxiproxy", "the store, 10 ms away", toxiproxy["10ms"]),
    row("toxiproxy", "the store, 50 ms away", toxiproxy["50ms"]),
    row("toxiproxy", "Toxiproxy's API", toxiproxy.api),
    row("spark-master", "Spark master", sparkMaster.rpc),
    row("spark-master", "Spark master's page", sparkMaster.ui),
    ...Array.from({ length: sparkWorkers }, (_, n) => n + 1).flatMap((index) => [
      row(`spark-worker-${index}`, `Spark worker ${index}`, sparkWorker(index).rpc),
      row(`spark-worker-${index}`, `Spark worker ${index}'s page`, sparkWorker(index).ui),
    ]),
    ofRay("Ray head", ray.gcs),
    ofRay("Ray dashboard", ray.dashboard),
    ofRay("Ray client server", ray.client),
    ofRay("Ray node manager", ray.nodeManager),
    ofRay("Ray object manager", ray.objectManager),
    ofRay("Ray runtime environment agent", ray.runtimeEnvAgent),
    ofRay("Ray dashboard agent", ray.dashboardAgent),
    ofRay("Ray dashboard agent, gRPC", ray.dashboardAgentGrpc),
    ofRay("Ray metrics", ray.metrics),
    ofRay("Ray dashboard's metrics", ray.dashboardMetrics),
    ofRay("Ray autoscaler's metrics", ray.autoscalerMetrics),
    ...Array.from({ length: ray.lastWorker - ray.firstWorker + 1 }, (_, n) => ({
      ...ofRay("a worker of Ray's", ray.firstWorker + n),
      shared: true,
    })),
  ];
}
