import { machine, memoryCheck, memoryHere } from "../../host/room";
import {
  check,
  javaCheck,
  proxyCheck,
  pythonCheck,
  type StackCheck,
  type StackContext,
} from "../../host/checks";
import { silenceAt } from "../../host/probe";
import { npm, wrong, type UserError } from "../../contracts/errors";
import type { Settings } from "../../settings/schema";
import { storeChecks } from "../../stores/checks";
import { environmentCheck, environmentHere, modelCheck } from "../../toolchain/checks";
import { lockedVersion } from "../../toolchain/locks";
import { existingTools, type ToolName } from "../../toolchain/tools";
import { diskHere, machineChecks } from "../checks";
import {
  aliveWorkers,
  askDashboard,
  askMaster,
  otherVersion,
  type DashboardFacts,
  type MasterFacts,
  type MasterPage,
} from "../serviceChecks";

/** Where a master's page is, unless the settings say. */
const usualPort = 8080;

interface SparkFacts {
  /** `host:port` of each; one leads, the others are standbys. */
  readonly masters: readonly string[];
  /** Why no master answers; undefined where one does. */
  readonly silent?: string;
  /** What was found at each address of a master's page. */
  readonly pages: readonly MasterFacts[];
}

/** Asks the masters, and their pages for the cluster's version and size. */
async function sparkFacts({ settings }: StackContext): Promise<SparkFacts | undefined> {
  const { sparkMaster, sparkMasterUi } = settings;
  if (sparkMaster === undefined) return undefined;
  const masters = sparkMaster.replace("spark://", "").split(",");
  const silences = await Promise.all(masters.map((each) => silenceAt(each)));
  if (!silences.includes(undefined)) return { masters, silent: silences.join("; "), pages: [] };
  const usual = masters.map((master) => `http://${master.split(":")[0]}:${usualPort}`);
  const urls = sparkMasterUi === undefined ? usual : [sparkMasterUi];
  return { masters, pages: await Promise.all(urls.map(askMaster)) };
}

/** The page of the master that leads, among those of the cluster. */
export function leaderOf({ masters, pages }: SparkFacts) {
  const ports = masters.map((master) => `:${master.split(":")[1]}`);
  const theirs = pages.flatMap(({ page, ...facts }) =>
    page && ports.some((port) => page.url?.endsWith(port)) ? [{ ...facts, page }] : [],
  );
  return theirs.find(({ page }) => page.status === "ALIVE") ?? theirs[0];
}

/**
 * Where the settings state the size but not the page's address, the page may be missing: the job
 * finds out.
 */
export function wrongSpark(facts: SparkFacts, settings: Settings): UserError[] {
  if (facts.silent !== undefined) {
    return wrong(
      `sparkMaster is "${settings.sparkMaster}", and nobody answers there (${facts.silent})`,
      "Spark's driver gets its executors from the master",
      "start the cluster, or set sparkMaster to where its master listens",
    );
  }
  const whole = settings.clusterSize === "whole";
  const leader = leaderOf(facts);
  if (leader) {
    const { url, page } = leader;
    const fix = `install Spark ${lockedVersion("pyspark")} on the cluster (pipelines/requirements.lock)`;
    const size = whole ? noWorkers(url, page) : tooSmall(url, page, settings);
    return [...otherVersion("Spark", leader, fix), ...size];
  }
  const problem = facts.pages
    .map(({ url, silent = "it is another master's" }) => `${url}: ${silent}`)
    .join("; ");
  if (settings.sparkMasterUi !== undefined && !facts.pages[0].page) {
    return wrong(
      `no page of a Spark master answers at sparkMasterUi (${problem})`,
      "it is asked for the cluster's size and version",
      "set it to where the master's page is, or unset it",
    );
  }
  if (!whole) return [];
  return wrong(
    `clusterSize is "whole", and no master's page states the Spark cluster's size (${problem})`,
    "runs take all the cores that the cluster has",
    "set sparkMasterUi to where the master's page is, or clusterSize to stated and sparkExecutors, " +
      "sparkWorkerCores and sparkWorkerMemory to what runs may take",
  );
}

function noWorkers(url: string, page: MasterPage): UserError[] {
  if (aliveWorkers(page).length > 0) return [];
  const what = `the Spark cluster at ${url} has no worker`;
  return wrong(what, "Spark would wait for one for ever", "start its workers");
}

function tooSmall(url: string, page: MasterPage, settings: Settings): UserError[] {
  const { sparkExecutors, sparkWorkerCores } = settings;
  const mib = Math.floor(settings.sparkWorkerMemory / 2 ** 20);
  const executors = executorsOf(page, sparkWorkerCores, mib);
  if (executors >= sparkExecutors) return [];
  return wrong(
    `sparkExecutors is ${sparkExecutors}, and the ${aliveWorkers(page).length} workers at ${url} have ` +
      `room for ${executors} executors of ${sparkWorkerCores} cores and ${mib} MiB`,
    "Spark would wait for the others",
    "set sparkExecutors, sparkWorkerCores and sparkWorkerMemory to what they have, or add workers",
  );
}

/** How many executors of a size the workers have room for. */
function executorsOf(page: MasterPage, cores: number, mib: number): number {
  return aliveWorkers(page)
    .map((worker) => Math.min(Math.floor(worker.cores / cores), Math.floor(worker.memory / mib)))
    .reduce((sum, each) => sum + each, 0);
}

async function rayFacts({ settings }: StackContext): Promise<DashboardFacts | undefined> {
  const { rayAddress, rayToken } = settings;
  return rayAddress === undefined ? undefined : askDashboard(rayAddress, rayToken);
}

/** Where the size is stated, a cluster that says nothing of its nodes passes: the job asks again. */
function wrongRay(facts: DashboardFacts, settings: Settings): UserError[] {
  const { url, silent, refused, nodes } = facts;
  const { rayCpus } = settings;
  if (refused) {
    return wrong(
      `the Ray cluster at ${url} refuses the token, or was given none`,
      "it takes jobs only with its token",
      "set rayToken, with --secret, to the token that the cluster was started with",
    );
  }
  if (silent !== undefined) {
    return wrong(
      `rayAddress is "${url}", and no Ray dashboard answers there (${silent})`,
      "jobs are submitted to it",
      "start the cluster with its dashboard, or set rayAddress to where that listens",
    );
  }
  const fix = `install ray==${lockedVersion("ray")} on the cluster (pipelines/requirements.lock)`;
  const other = otherVersion("Ray", facts, fix);
  if (other.length > 0) return other;
  const cpus = cpusOf(facts);
  const whole = settings.clusterSize === "whole";
  if (cpus >= (whole ? 1 : rayCpus) || (!whole && nodes === undefined)) return [];
  if (nodes === undefined) {
    return wrong(
      `clusterSize is "whole", and the Ray cluster at ${url} does not list its nodes`,
      "runs take all the CPUs that the cluster has",
      "set clusterSize to stated, and rayCpus to what runs may take",
    );
  }
  if (whole) {
    const what = `the Ray cluster at ${url} has no CPUs on ${nodes.length} nodes`;
    return wrong(what, "Ray would wait for one for ever", "start its nodes");
  }
  return wrong(
    `rayCpus is ${rayCpus}, and the Ray cluster has ${cpus} CPUs on ${nodes.length} nodes`,
    "Ray would wait for the others for ever",
    `set rayCpus to at most ${cpus}, or add nodes`,
  );
}

function cpusOf({ nodes = [] }: DashboardFacts): number {
  return Math.floor(nodes.reduce((sum, node) => sum + (node.resources_total?.CPU ?? 0), 0));
}

/**
 * The settings with the clusters' own size, where runs take all of them; what runs on this machine
 * has no more threads than that has cores.
 */
export async function sized(context: StackContext): Promise<Settings> {
  const { settings } = context;
  const [spark, ray] = await Promise.all([context.facts(sparkFacts), context.facts(rayFacts)]);
  const whole = settings.clusterSize === "whole";
  const leader = spark && leaderOf(spark);
  const all = {
    ...settings,
    ...(whole && leader ? sizeOf(leader.page) : {}),
    ...(whole && ray ? { rayCpus: cpusOf(ray) } : {}),
  };
  return { ...all, threads: Math.min(all.sparkExecutors * all.sparkWorkerCores, machine().cpus) };
}

/**
 * The executors that fill a cluster: all alike, each as large as the smallest worker, because a run
 * with executors of several sizes has no one figure of memory.
 */
export function sizeOf(page: MasterPage): Partial<Settings> {
  const workers = aliveWorkers(page);
  const cores = Math.min(...workers.map((worker) => worker.cores));
  const mib = Math.min(...workers.map((worker) => worker.memory));
  return {
    sparkExecutors: executorsOf(page, cores, mib),
    sparkWorkerCores: cores,
    sparkWorkerMemory: mib * 2 ** 20,
  };
}

export const toolsOf = ({ stack }: StackContext) => existingTools(stack);

const lacks = (tool: ToolName) => (context: StackContext) => !context.facts(toolsOf).includes(tool);

/** One of the named clusters, which a deployment must be able to use. */
const clusterCheck = <Facts>(
  [id, name]: readonly [string, string],
  gather: (context: StackContext) => Promise<Facts | undefined>,
  judge: (facts: Facts, settings: Settings) => UserError[],
) =>
  check({
    id,
    name: `the ${name} cluster answers, has the locked version, and is large enough`,
    blocks: true,
    observe: (context) => context.facts(gather),
    judge: (facts, { settings }) => (facts ? judge(facts, settings) : []),
  });

/** What target `cluster` needs of this machine, of the clusters and of the store. */
export const checks: readonly StackCheck[] = [
  ...machineChecks,
  javaCheck(lacks("jars")),
  pythonCheck(lacks("python")),
  proxyCheck(lacks("python")),
  diskHere(lacks("python")),
  memoryCheck(() => memoryHere(true), false),
  modelCheck,
  environmentCheck(({ stack }) => environmentHere(stack)),
  ...storeChecks(({ stack }, service) => npm(stack, "logs", service)),
  clusterCheck(["spark", "Spark"], sparkFacts, wrongSpark),
  clusterCheck(["ray", "Ray"], rayFacts, wrongRay),
];
