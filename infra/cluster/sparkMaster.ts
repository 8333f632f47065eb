import { lockedVersion } from "../locks";
import type { Settings } from "../settings";
import { UserError } from "../userError";

/** What a master's page tells as JSON, as far as it matters here. */
interface MasterPage {
  readonly url?: string;
  readonly workers?: readonly {
    readonly state?: string;
    readonly cores?: number;
    /** In MiB. */
    readonly memory?: number;
  }[];
}

/** Where a master's page is, unless it is told. */
const usualPort = 8080;

/**
 * Asks a Spark master's page whether the cluster is large enough and of the version that jobs are made
 * for. A page that does not answer, or is another master's, says nothing: the job finds out.
 *
 * @param masters `host:port` of each
 * @param timeoutMs how long to wait for an answer
 */
export async function lookAtMasterPage(
  masters: readonly string[],
  settings: Settings,
  timeoutMs: number,
): Promise<UserError[]> {
  const [host] = masters[0].split(":");
  const page = settings.sparkMasterUi ?? `http://${host}:${usualPort}`;
  const ask = (place: string) =>
    fetch(new URL(place, page), { signal: AbortSignal.timeout(timeoutMs) });
  try {
    const told = (await (await ask("/json/")).json()) as MasterPage;
    if (!masters.some((master) => told.url?.endsWith(`:${master.split(":")[1]}`))) return [];
    const [, version] = /class="version"[^>]*>([\d.]+)</.exec(await (await ask("/")).text()) ?? [];
    return [...otherVersion(page, version), ...tooSmall(page, told, settings)];
  } catch (error) {
    if (settings.sparkMasterUi === undefined) return [];
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return [
      new UserError(
        `sparkMasterUi is "${page}", and no page of a Spark master is there (${cause?.code ?? message})`,
        "it is asked for the cluster's size and version",
        "set it to where the master's page is, or take it back",
      ),
    ];
  }
}

function otherVersion(page: string, there: string | undefined): UserError[] {
  const wanted = lockedVersion("pyspark");
  if (there === undefined || there === wanted) return [];
  return [
    new UserError(
      `the Spark cluster at ${page} is of version ${there}, and jobs are made for ${wanted}`,
      "a driver and executors of two versions do not understand each other",
      `set up the cluster with Spark ${wanted} (pipelines/requirements.lock)`,
    ),
  ];
}

function tooSmall(page: string, { workers = [] }: MasterPage, settings: Settings): UserError[] {
  const { sparkWorkers, sparkWorkerCores } = settings;
  const wantedMiB = Math.floor(settings.sparkWorkerMemory / 2 ** 20);
  const alive = workers.filter(({ state }) => state === "ALIVE");
  const room = alive.map(({ cores = 0, memory = 0 }) =>
    Math.min(Math.floor(cores / sparkWorkerCores), Math.floor(memory / wantedMiB)),
  );
  const executors = room.reduce((sum, each) => sum + each, 0);
  if (executors >= sparkWorkers) return [];
  return [
    new UserError(
      `sparkWorkers is ${sparkWorkers}, and the ${alive.length} workers at ${page} have room for ` +
        `${executors} executors of ${sparkWorkerCores} cores and ${wantedMiB} MiB`,
      "Spark would wait for the others",
      "set sparkWorkers, sparkWorkerCores and sparkWorkerMemory to what they have, or add workers",
    ),
  ];
}
