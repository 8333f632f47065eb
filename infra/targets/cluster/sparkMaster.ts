import { lockedVersion } from "../../toolchain/locks";
import { aliveWorkers, askMaster, type MasterPage, type MasterSeen } from "../../host/masterPage";
import type { Settings } from "../../settings/schema";
import { UserError } from "../../contracts/errors";
import type { Look } from "./look";

/** Where a master's page is, unless it is told. */
const usualPort = 8080;

/**
 * Asks a Spark master's page which version the cluster is of and how large it is. Where the settings
 * state the size, a page that is not told need not be there: the job finds out.
 *
 * @param masters `host:port` of each
 */
export async function lookAtMasterPage(
  masters: readonly string[],
  settings: Settings,
): Promise<Look> {
  const [host] = masters[0].split(":");
  const seen = await askMaster(settings.sparkMasterUi ?? `http://${host}:${usualPort}`);
  const { url, page } = seen;
  const ports = masters.map((master) => `:${master.split(":")[1]}`);
  if (page && ports.some((port) => page.url?.endsWith(port))) {
    const version = otherVersion(seen);
    return settings.clusterSize === "whole"
      ? { errors: [...version, ...noWorkers(url, page)], size: sizeOf(page) }
      : { errors: [...version, ...tooSmall(url, page, settings)] };
  }
  const silent = seen.silent ?? "it is another's";
  if (settings.sparkMasterUi !== undefined && !page) return { errors: [noPage(url, silent)] };
  return { errors: settings.clusterSize === "whole" ? [unknownSize(url, silent)] : [] };
}

/**
 * The executors that fill a cluster: all alike, each as large as the smallest worker, because a run
 * with executors of several sizes has no one figure of memory.
 */
function sizeOf(page: MasterPage): Look["size"] {
  const workers = aliveWorkers(page);
  const cores = Math.min(...workers.map((worker) => worker.cores));
  const mib = Math.min(...workers.map((worker) => worker.memory));
  return {
    sparkWorkers: room(page, cores, mib),
    sparkWorkerCores: cores,
    sparkWorkerMemory: mib * 2 ** 20,
  };
}

/** How many executors of a size the workers have room for. */
function room(page: MasterPage, cores: number, mib: number): number {
  return aliveWorkers(page)
    .map((worker) => Math.min(Math.floor(worker.cores / cores), Math.floor(worker.memory / mib)))
    .reduce((sum, each) => sum + each, 0);
}

function noPage(url: string, silent: string): UserError {
  return new UserError(
    `sparkMasterUi is "${url}", and no page of a Spark master is there (${silent})`,
    "it is asked for the cluster's size and version",
    "set it to where the master's page is, or take it back",
  );
}

function unknownSize(url: string, silent: string): UserError {
  return new UserError(
    `clusterSize is "whole", and no page of the master's tells the Spark cluster's size (${url}: ${silent})`,
    "runs take all the cores that the cluster has",
    "set sparkMasterUi to where the master's page is, or clusterSize to stated and sparkWorkers, " +
      "sparkWorkerCores and sparkWorkerMemory to what runs may take",
  );
}

function noWorkers(url: string, page: MasterPage): UserError[] {
  if (aliveWorkers(page).length > 0) return [];
  return [
    new UserError(
      `the Spark cluster at ${url} has no worker`,
      "Spark would wait for one for ever",
      "start its workers",
    ),
  ];
}

function otherVersion({ url, version }: MasterSeen): UserError[] {
  const wanted = lockedVersion("pyspark");
  if (version === undefined || version === wanted) return [];
  return [
    new UserError(
      `the Spark cluster at ${url} is of version ${version}, and jobs are made for ${wanted}`,
      "a driver and executors of two versions do not understand each other",
      `set up the cluster with Spark ${wanted} (pipelines/requirements.lock)`,
    ),
  ];
}

function tooSmall(url: string, page: MasterPage, settings: Settings): UserError[] {
  const { sparkWorkers, sparkWorkerCores } = settings;
  const mib = Math.floor(settings.sparkWorkerMemory / 2 ** 20);
  const executors = room(page, sparkWorkerCores, mib);
  if (executors >= sparkWorkers) return [];
  return [
    new UserError(
      `sparkWorkers is ${sparkWorkers}, and the ${aliveWorkers(page).length} workers at ${url} have ` +
        `room for ${executors} executors of ${sparkWorkerCores} cores and ${mib} MiB`,
      "Spark would wait for the others",
      "set sparkWorkers, sparkWorkerCores and sparkWorkerMemory to what they have, or add workers",
    ),
  ];
}
