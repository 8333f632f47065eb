import { together } from "../../host/requirements";
import { lockedVersion } from "../../toolchain/locks";
import { machine } from "../../host/machine";
import type { Settings } from "../../settings/schema";
import { UserError } from "../../contracts/errors";
import { silenceAt } from "../../host/network";
import { lookAtMasterPages, type Look } from "./sparkMaster";

const answerMs = 5_000;

/**
 * Looks at the clusters that the settings name: whether they answer, take the token, are of the
 * version that jobs are made for, and how large they are.
 *
 * @returns the settings, with the clusters' own size where runs take all of them; what runs on this
 *   machine has no more threads than that has cores
 * @throws UserError with all that is not as it must be
 */
export async function lookAtClusters(settings: Settings): Promise<Settings> {
  const looks = await Promise.all([lookAtSpark(settings), lookAtRay(settings)]);
  const errors = looks.flatMap((look) => look.errors);
  if (errors.length > 0) throw together(errors);
  const sized = looks.reduce((all, { size }) => ({ ...all, ...size }), settings);
  const cores = sized.sparkWorkers * sized.sparkWorkerCores;
  return { ...sized, threads: Math.min(cores, machine().cpus) };
}

async function lookAtSpark(settings: Settings): Promise<Look> {
  const { sparkMaster } = settings;
  if (sparkMaster === undefined) return { errors: [] };
  const masters = sparkMaster.replace("spark://", "").split(",");
  const reached = await Promise.all(masters.map((master) => silenceAt(master)));
  if (reached.some((problem) => problem === undefined)) {
    return lookAtMasterPages(masters, settings);
  }
  const nobody = new UserError(
    `sparkMaster is "${sparkMaster}", and nobody answers there (${reached.join("; ")})`,
    "Spark's driver gets its executors from the master",
    "start the cluster, or set sparkMaster to where its master listens",
  );
  return { errors: [nobody] };
}

async function lookAtRay(settings: Settings): Promise<Look> {
  const { rayAddress, rayToken } = settings;
  if (rayAddress === undefined) return { errors: [] };
  const ask = async (place: string) =>
    fetch(new URL(place, rayAddress), {
      headers: rayToken === undefined ? {} : { Authorization: `Bearer ${rayToken}` },
      signal: AbortSignal.timeout(answerMs),
      redirect: "error",
    });
  try {
    const version = await ask("/api/version");
    const { status } = version;
    if (status === 401 || status === 403) return { errors: [refusedToken(rayAddress)] };
    if (!version.ok) return { errors: [noRay(rayAddress, `it says ${status}`)] };
    const { ray_version: there } = (await version.json()) as { ray_version?: string };
    const wanted = lockedVersion("ray");
    if (there !== wanted) return { errors: [otherVersion(there, wanted)] };
    const nodes = await ask("/api/v0/nodes?detail=1&limit=1000");
    return fitted(rayAddress, nodes.ok ? aliveNodes(await nodes.json()) : undefined, settings);
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return { errors: [noRay(rayAddress, cause?.code ?? message)] };
  }
}

interface Node {
  readonly state?: string;
  readonly resources_total?: { readonly CPU?: number };
}

/** The nodes that take work, out of what the dashboard answers; undefined where it tells none. */
function aliveNodes(answer: unknown): Node[] | undefined {
  const { data } = answer as { data?: { result?: { result?: readonly Node[] } } };
  return data?.result?.result?.filter(({ state }) => state === "ALIVE");
}

/** Where the size is stated, a cluster that says nothing of its nodes passes: the job asks again. */
function fitted(
  address: string,
  nodes: readonly Node[] | undefined,
  { rayCpus, clusterSize }: Settings,
): Look {
  const has = (nodes ?? []).reduce((sum, node) => sum + (node.resources_total?.CPU ?? 0), 0);
  const cpus = Math.floor(has);
  const whole = clusterSize === "whole";
  if (whole && cpus > 0) return { errors: [], size: { rayCpus: cpus } };
  if (whole) return { errors: [noCpus(address, nodes)] };
  return { errors: nodes === undefined || cpus >= rayCpus ? [] : [tooSmall(rayCpus, cpus, nodes)] };
}

function noCpus(address: string, nodes: readonly Node[] | undefined): UserError {
  return nodes === undefined
    ? new UserError(
        `clusterSize is "whole", and the Ray cluster at ${address} does not tell its nodes`,
        "runs take all the CPUs that the cluster has",
        "set clusterSize to stated, and rayCpus to what runs may take",
      )
    : new UserError(
        `the Ray cluster at ${address} has no CPUs on ${nodes.length} nodes`,
        "Ray would wait for one for ever",
        "start its nodes",
      );
}

function tooSmall(rayCpus: number, cpus: number, nodes: readonly Node[]): UserError {
  return new UserError(
    `rayCpus is ${rayCpus}, and the Ray cluster has ${cpus} CPUs on ${nodes.length} nodes`,
    "Ray would wait for the others for ever",
    `set rayCpus to at most ${cpus}, or add nodes`,
  );
}

function refusedToken(address: string): UserError {
  return new UserError(
    `the Ray cluster at ${address} refuses the token, or was given none`,
    "it takes jobs only from who has its token",
    "set rayToken, with --secret, to the token that the cluster was started with",
  );
}

function otherVersion(there: string | undefined, wanted: string): UserError {
  return new UserError(
    `the Ray cluster is of version ${there ?? "unknown"}, and jobs are made for ${wanted}`,
    "the two do not understand each other",
    `set up the cluster with ray==${wanted} (pipelines/requirements.lock)`,
  );
}

function noRay(address: string, problem: string): UserError {
  return new UserError(
    `rayAddress is "${address}", and no Ray dashboard answers there (${problem})`,
    "jobs are submitted to it",
    "start the cluster with its dashboard, or set rayAddress to where that listens",
  );
}
