import * as path from "node:path";
import type { Executor } from "../../contracts/platform";
import { UserError } from "../../contracts/errors";
import type { Services, ServiceView } from "../../contracts/target";
import { freeBlock } from "../../host/freePorts";
import { findJava } from "../../host/runtimes";
import { silenceAt } from "../../host/probe";
import { rayAccess } from "../../services";
import { stackFiles } from "../../stack/files";
import { readStepRecord } from "../../stack/records";
import type { StepVerbs } from "../../stack/runStep";
import { storeAccess, storeRecord } from "../../stores/access";
import { makeScratch, modelOf, toolFolder } from "../../toolchain/tools";
import { packedFile } from "../../toolchain/locks";
import { pythonVariables, shellHere, startLeader } from "../processes";

/** The name of the step that keeps which clusters there are. */
export const clustersStep = "clusters";

/** What that step records; nothing secret. */
export interface ClustersRecord {
  readonly spark: {
    readonly master: string;
    /** Whether it asks for a secret. */
    readonly authenticates: boolean;
    readonly workerCores: number;
    readonly workerMemory: string;
    readonly driverHost: string | null;
    /** First ports of the blocks that a driver may take. */
    readonly driverPorts: readonly number[];
  } | null;
  readonly ray: {
    readonly dashboard: string;
    /** Whether it asks for a token. */
    readonly authenticates: boolean;
    readonly cpus: number;
  } | null;
}

/** The step that keeps which clusters there are; their secrets are kept with the stack's others. */
export const clusterRecord = {
  async create({ spec: { spark, ray } }) {
    return { spark, ray };
  },
} satisfies StepVerbs<ClustersRecord>;

/**
 * Runs jobs on existing clusters: a job is a process here, Spark's driver among them;
 * one of Ray's submits itself to the cluster, and waits for what comes of it.
 *
 * Jobs that use the model start in its folder and know it by its name alone, because that is how it is
 * found on the clusters' workers, to which it is shipped.
 */
export function clusterExecutor(stack: string): Executor {
  let scratch: string | undefined;
  return {
    async connection(cluster) {
      scratch = makeScratch(stack);
      const model = modelOf(stack);
      return {
        store: storeAccess(stack),
        spark: cluster === "spark" ? await sparkOf(stack) : null,
        ray: cluster === "ray" ? rayOf(stack) : null,
        model: model && {
          path: path.basename(model.path),
          labels: model.labels && path.basename(model.labels),
        },
        services: [],
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

/**
 * The clusters of a stack, as they were recorded.
 *
 * @throws UserError where there are none
 */
function clustersOf(stack: string): ClustersRecord {
  const record = readStepRecord(stack, clustersStep);
  if (!record) throw missing(stack, "clusters", "sparkMaster and rayAddress");
  return record.result as unknown as ClustersRecord;
}

function missing(stack: string, what: string, setting: string): UserError {
  return new UserError(
    `stack ${stack} has no ${what}`,
    "the job needs it",
    `set ${setting} and run npm start (or pulumi up)`,
  );
}

async function sparkOf(stack: string) {
  const { spark } = clustersOf(stack);
  if (!spark) throw missing(stack, "Spark cluster", "sparkMaster");
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
  const { ray } = clustersOf(stack);
  if (!ray) throw missing(stack, "Ray cluster", "rayAddress");
  return {
    dashboard: ray.dashboard,
    tokenFile: ray.authenticates ? stackFiles(stack).rayToken : null,
    cpus: ray.cpus,
    gpus: 0,
  };
}

/** What target `cluster` runs on: nothing of it is the stack's. */
export const clusterServices: Services = {
  async status(stack) {
    const { spark, ray } = clustersOf(stack);
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
  const { spark, ray } = clustersOf(stack);
  return {
    ...pythonVariables(stack),
    ...(spark ? { JAVA_HOME: findJava().home, SPARK_MASTER: spark.master } : {}),
    ...(ray ? { RAY_API_SERVER_ADDRESS: ray.dashboard } : {}),
    ...(ray?.authenticates ? rayAccess(stackFiles(stack).rayToken) : {}),
  };
}
