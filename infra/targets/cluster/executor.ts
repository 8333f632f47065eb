import * as path from "node:path";
import type { Executor } from "../../contracts/platform";
import { UserError } from "../../contracts/errors";
import type { Services, ServiceView } from "../../contracts/target";
import { freeBlock } from "../../host/freePorts";
import { findJava } from "../../host/runtimes";
import { silenceAt } from "../../host/probe";
import { rayAccess, sparkSize } from "../../services";
import { ports } from "../../settings/ports";
import type { Settings } from "../../settings/schema";
import { stackFiles } from "../../stack/files";
import type { StepVerbs } from "../../stack/runStep";
import { storeAccess, storeRecord } from "../../stores/access";
import { makeScratch, modelOf, toolFolder } from "../../toolchain/tools";
import { packedFile } from "../../toolchain/locks";
import { pythonVariables, resultOf, shellHere, startLeader } from "../processes";

/** The name of the step that keeps which clusters there are. */
export const clustersStep = "clusters";

/** What that step records; nothing secret. */
export function clustersOf(settings: Settings) {
  const { sparkMaster, sparkSecret, sparkDriverHost, rayAddress, rayToken } = settings;
  const first = settings.sparkDriverPort - ports(0).sparkDriver[0];
  return {
    spark: sparkMaster
      ? {
          master: sparkMaster,
          authenticates: sparkSecret !== undefined,
          workerCores: settings.sparkWorkerCores,
          workerMemory: sparkSize(settings.sparkWorkerMemory),
          driverHost: sparkDriverHost ?? null,
          /** First ports of the blocks that a driver may take. */
          driverPorts: ports(settings.portOffset + first).sparkDriver,
        }
      : null,
    ray: rayAddress
      ? {
          dashboard: rayAddress.replace(/\/$/, ""),
          authenticates: rayToken !== undefined,
          cpus: settings.rayCpus,
        }
      : null,
  };
}

type Clusters = ReturnType<typeof clustersOf>;

/** The step that keeps which clusters there are; their secrets are kept with the stack's others. */
export const clusterRecord = {
  async create({ spec: { spark, ray } }) {
    return { spark, ray };
  },
} satisfies StepVerbs<Clusters>;

/**
 * Runs jobs on existing clusters: a job is a process here, Spark's driver among them;
 * one of Ray's submits itself to the cluster, and waits for what comes of it.
 *
 * Jobs that use the model start in its folder and know it by its name alone, because that is how it is
 * found on the clusters' workers, to which it is shipped.
 */
export function executor(stack: string): Executor {
  let scratch: string | undefined;
  return {
    async connection(cluster) {
      scratch = makeScratch(stack);
      const model = modelOf(stack);
      return {
        store: storeAccess(stack),
        spark: cluster === "spark" ? await sparkOf(stack) : null,
        ray: cluster === "ray" ? rayOf(stack) : null,
        model: model && { path: path.basename(model.path) },
        services: [],
        unmeasuredNodes: cluster !== "none",
        scratch,
      };
    },
    start(_cluster, mayDownload) {
      const model = modelOf(stack);
      // Data is made while the model still is.
      return startLeader(stack, {
        mayDownload,
        scratch,
        cwd: model ? path.dirname(model.path) : undefined,
      });
    },
  };
}

/** @throws UserError where the settings named no such cluster */
function named<Cluster>(stack: string, cluster: Cluster | null, setting: string): Cluster {
  if (cluster) return cluster;
  throw new UserError(
    `stack ${stack} was deployed without ${setting}`,
    "the job needs that cluster",
    `set ${setting} and run npm start (or pulumi up)`,
  );
}

async function sparkOf(stack: string) {
  const spark = named(stack, resultOf<Clusters>(stack, clustersStep).spark, "sparkMaster");
  const { authenticates, driverPorts, ...rest } = spark;
  return {
    ...rest,
    jars: toolFolder(stack, "jars"),
    javaHome: findJava().home,
    secretFile: authenticates ? stackFiles(stack).sparkSecret : null,
    portBase: await freeBlock(driverPorts),
    packages: path.join(toolFolder(stack, "packages"), packedFile),
  };
}

function rayOf(stack: string) {
  const ray = named(stack, resultOf<Clusters>(stack, clustersStep).ray, "rayAddress");
  const { dashboard, authenticates, cpus } = ray;
  const tokenFile = authenticates ? stackFiles(stack).rayToken : null;
  return { dashboard, tokenFile, cpus };
}

/** What target `cluster` runs on: nothing of it is the stack's. */
export const services: Services = {
  async status(stack) {
    const { spark, ray } = resultOf<Clusters>(stack, clustersStep);
    const store = storeRecord(stack)?.endpoint;
    return Promise.all([
      ...(spark ? spark.master.split(",").map((url) => viewOf("spark-master", url)) : []),
      ...(ray ? [viewOf("ray-dashboard", ray.dashboard)] : []),
      ...(store ? [viewOf("object-store", store)] : []),
    ]);
  },

  shell: (stack) => shellHere(stack, shellEnvironment(stack)),

  logs: () => new Map(),
};

/** How something at an address looks from here. */
export async function viewOf(name: string, url: string): Promise<ServiceView> {
  // Behind the first master of a list there is no scheme.
  const { host, port, protocol } = new URL(url.includes("://") ? url : `spark://${url}`);
  const usual = protocol === "https:" ? ":443" : ":80";
  const silence = await silenceAt(port ? host : `${host}${usual}`);
  return { name, state: silence === undefined ? "ANSWERS" : `SILENT (${silence})`, url };
}

/**
 * Environment of an interactive shell that knows the clusters: Python with the engines, Ray's job
 * submission, the master's address. Ray's token is named by its file.
 *
 * @throws UserError where the stack is not deployed
 */
export function shellEnvironment(stack: string): Record<string, string> {
  const { spark, ray } = resultOf<Clusters>(stack, clustersStep);
  return {
    ...pythonVariables(stack),
    ...(spark ? { JAVA_HOME: findJava().home, SPARK_MASTER: spark.master } : {}),
    ...(ray ? { RAY_API_SERVER_ADDRESS: ray.dashboard } : {}),
    ...(ray?.authenticates ? rayAccess(stackFiles(stack).rayToken) : {}),
  };
}
