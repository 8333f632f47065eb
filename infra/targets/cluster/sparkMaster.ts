import { lockedVersion } from "../../toolchain/locks";
import { aliveWorkers, askMaster, type MasterPage, type MasterSeen } from "../../host/masterPage";
import type { Settings } from "../../settings/schema";
import { UserError } from "../../contracts/errors";

/** What a look at a cluster came to. */
export interface Look {
  readonly errors: readonly UserError[];
  /** What the whole of it offers, where runs take that. */
  readonly size?: Partial<Settings>;
}

/** Where a master's page is, unless it is told. */
const usualPort = 8080;

/**
 * Asks the pages of a Spark cluster's masters which version it is of and how large it is. Where the
 * settings state the size, a page that is not told need not be there: the job finds out.
 *
 * @param masters `host:port` of each; one leads, the others are standbys
 */
export async function lookAtMasterPages(
  masters: readonly string[],
  settings: Settings,
): Promise<Look> {
  const usual = masters.map((master) => `http://${master.split(":")[0]}:${usualPort}`);
  const urls = settings.sparkMasterUi === undefined ? usual : [settings.sparkMasterUi];
  return judgeMasterPages(await Promise.all(urls.map(askMaster)), masters, settings);
}

/** @param seen what was found at each address of a page */
export function judgeMasterPages(
  seen: readonly MasterSeen[],
  masters: readonly string[],
  settings: Settings,
): Look {
  const ports = masters.map((master) => `:${master.split(":")[1]}`);
  const pages = seen.flatMap(({ url, version, page }) =>
    page && ports.some((port) => page.url?.endsWith(port)) ? [{ url, version, page }] : [],
  );
  const leader = pages.find(({ page }) => page.status === "ALIVE") ?? pages[0];
  if (leader) {
    const { url, page } = leader;
    const version = otherVersion(leader);
    return settings.clusterSize === "whole"
      ? { errors: [...version, ...noWorkers(url, page)], size: sizeOf(page) }
      : { errors: [...version, ...tooSmall(url, page, settings)] };
  }
  const silent = seen.map(({ url, silent = "it is another's" }) => `${url}: ${silent}`).join("; ");
  if (settings.sparkMasterUi !== undefined && !seen[0].page) return { errors: [noPage(silent)] };
  return { errors: settings.clusterSize === "whole" ? [unknownSize(silent)] : [] };
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

function noPage(silent: string): UserError {
  return new UserError(
    `no page of a Spark master answers at sparkMasterUi (${silent})`,
    "it is asked for the cluster's size and version",
    "set it to where the master's page is, or unset it",
  );
}

function unknownSize(silent: string): UserError {
  return new UserError(
    `clusterSize is "whole", and no page of the master's tells the Spark cluster's size (${silent})`,
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

function otherVersion({ url, version }: Pick<MasterSeen, "url" | "version">): UserError[] {
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
