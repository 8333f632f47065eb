import * as net from "node:net";
import { together } from "../local/requirements";
import { lockedVersion } from "../locks";
import type { Settings } from "../settings";
import { UserError } from "../userError";
import { lookAtMasterPage } from "./sparkMaster";

const answerMs = 5_000;

/**
 * Looks at the clusters that the settings name: whether they answer, take the token, are of the
 * version that jobs are made for, and large enough.
 *
 * @throws UserError with all that is not as it must be
 */
export async function lookAtClusters(settings: Settings): Promise<void> {
  const found = await Promise.all([lookAtSpark(settings), lookAtRay(settings)]);
  const errors = found.flat();
  if (errors.length > 0) throw together(errors);
}

async function lookAtSpark(settings: Settings): Promise<UserError[]> {
  const { sparkMaster } = settings;
  if (sparkMaster === undefined) return [];
  const masters = sparkMaster.replace("spark://", "").split(",");
  const reached = await Promise.all(masters.map(answers));
  if (reached.some((problem) => problem === undefined)) {
    return lookAtMasterPage(masters, settings, answerMs);
  }
  return [
    new UserError(
      `sparkMaster is "${sparkMaster}", and nobody answers there (${reached.join("; ")})`,
      "Spark's driver gets its executors from the master",
      "start the cluster, or set sparkMaster to where its master listens",
    ),
  ];
}

async function lookAtRay(settings: Settings): Promise<UserError[]> {
  const { rayAddress, rayToken } = settings;
  if (rayAddress === undefined) return [];
  const ask = async (place: string) =>
    fetch(new URL(place, rayAddress), {
      headers: rayToken === undefined ? {} : { Authorization: `Bearer ${rayToken}` },
      signal: AbortSignal.timeout(answerMs),
      redirect: "error",
    });
  try {
    const version = await ask("/api/version");
    if (version.status === 401 || version.status === 403) return [refusedToken(rayAddress)];
    if (!version.ok) return [noRay(rayAddress, `it says ${version.status}`)];
    const { ray_version: there } = (await version.json()) as { ray_version?: string };
    const wanted = lockedVersion("ray");
    if (there !== wanted) return [otherVersion(there, wanted)];
    const nodes = await ask("/api/v0/nodes?detail=1&limit=1000");
    return nodes.ok ? tooSmall(await nodes.json(), settings) : [];
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return [noRay(rayAddress, cause?.code ?? message)];
  }
}

interface Nodes {
  readonly data?: {
    readonly result?: {
      readonly result?: readonly {
        readonly state?: string;
        readonly resources_total?: { readonly CPU?: number };
      }[];
    };
  };
}

/** A cluster that says nothing of its nodes is not held to be too small: the job asks again. */
function tooSmall(answer: unknown, { rayCpus }: Settings): UserError[] {
  const nodes = (answer as Nodes).data?.result?.result;
  if (nodes === undefined) return [];
  const alive = nodes.filter(({ state }) => state === "ALIVE");
  const cpus = alive.reduce((sum, { resources_total: has }) => sum + (has?.CPU ?? 0), 0);
  if (cpus >= rayCpus) return [];
  return [
    new UserError(
      `rayCpus is ${rayCpus}, and the Ray cluster has ${cpus} CPUs on ${alive.length} nodes`,
      "Ray would wait for the others for ever",
      `set rayCpus to at most ${cpus}, or add nodes`,
    ),
  ];
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

/** @returns why nobody answers, or undefined if somebody does */
function answers(hostAndPort: string): Promise<string | undefined> {
  const [host, port] = hostAndPort.split(":");
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: Number(port), timeout: answerMs });
    const end = (problem?: string) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => end());
    socket.once("timeout", () => end("no answer"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
