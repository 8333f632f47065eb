import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { stackFiles } from "../../stack/files";
import type { Executor } from "../../contracts/platform";
import { checkout } from "../../host/folders";
import { freeBlock } from "../../host/freePorts";
import { jobEnvironment, makeScratch, modelOf, pythonOf, toolFolder } from "../../toolchain/tools";
import { findJava } from "../../host/runtimes";
import { packedFile } from "../../toolchain/locks";
import { datasetEnvironment, plainEnvironment } from "../../host/environment";
import { readStepRecord } from "../../stack/records";
import type { StepVerbs } from "../../stack/runStep";
import { storeAccess } from "../../stores/access";
import { UserError } from "../../contracts/errors";

/** The name of the step that keeps which clusters there are. */
export const clustersStep = "clusters";

/** What that step records; nothing secret. */
export interface ClustersRecord {
  readonly spark: {
    readonly master: string;
    /** Whether it asks for a secret. */
    readonly authenticates: boolean;
    readonly workers: number;
    readonly workerCores: number;
    readonly workerMemory: string;
    readonly driverHost: string | null;
    /** First ports of the blocks that a driver may take. */
    readonly driverPorts: readonly number[];
    readonly conf: Readonly<Record<string, string>>;
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
 * Runs jobs on clusters that are there already: a job is a process here, Spark's driver among them;
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
      const environment = mayDownload ? datasetEnvironment() : plainEnvironment();
      const model = modelOf(stack);
      const child = spawn(pythonOf(stack), ["-m", "engine_comparison.leader"], {
        // Data is made while the model still is.
        cwd: model ? path.dirname(model.path) : checkout,
        env: { ...environment, ...jobEnvironment(stack) },
        stdio: ["pipe", "pipe", "pipe"],
      });
      const done = scratch;
      if (done) child.once("close", () => fs.rmSync(done, { recursive: true, force: true }));
      return child;
    },
  };
}

/**
 * The clusters of a stack, as they were recorded.
 *
 * @throws UserError where there are none
 */
export function clustersOf(stack: string): ClustersRecord {
  const standing = readStepRecord(stack, clustersStep);
  if (!standing) throw missing(stack, "clusters", "sparkMaster and rayAddress");
  return standing.result as unknown as ClustersRecord;
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
  const { authenticates, driverPorts, ...told } = spark;
  return {
    ...told,
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
