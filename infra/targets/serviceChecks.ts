import { npm, size, wrong, type UserError } from "../contracts/errors";
import { check, type Logs, type StackContext } from "../host/checks";
import { readOr } from "../host/folders";
import { ports } from "../settings/ports";
import { stackFiles } from "../stack/files";
import { lockedVersion } from "../toolchain/locks";
import { whenDeployed } from "./checks";

/** What is read here of a Spark master at `/json/`. Memory is in MiB. */
export interface MasterPage {
  readonly url: string;
  readonly status: string;
  readonly workers: readonly {
    readonly state: string;
    readonly cores: number;
    readonly memory: number;
  }[];
  readonly activeapps: readonly {
    readonly name: string;
    readonly state: string;
    /** Milliseconds of the epoch. */
    readonly starttime: number;
    readonly cores: number;
    readonly memoryperexecutor?: number;
  }[];
}

/** What was found where a cluster should answer. */
interface ClusterFacts {
  readonly url: string;
  /** Why there is no answer. */
  readonly silent?: string;
  readonly version?: string;
}

/** What was found where a master's page should be, at a time in milliseconds of the epoch. */
export interface MasterFacts extends ClusterFacts {
  readonly at: number;
  readonly page?: MasterPage;
}

/** @param url of the page, such as `http://127.0.0.1:8080` */
export async function askMaster(url: string): Promise<MasterFacts> {
  const get = (path: string) => fetch(new URL(path, url), { signal: AbortSignal.timeout(5_000) });
  const at = Date.now();
  try {
    const [json, html] = await Promise.all([get("/json/"), get("/")]);
    const page = (await json.json()) as MasterPage;
    return { url, at, page, version: parseSparkVersion(await html.text()) };
  } catch (error) {
    return { url, at, silent: whySilent(error) };
  }
}

/** Why a request got no answer, in the system's word where there is one, e.g. ECONNREFUSED. */
function whySilent(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message;
}

/** The workers of a page that take executors. */
export function aliveWorkers({ workers }: Pick<MasterPage, "workers">): MasterPage["workers"] {
  return workers.filter(({ state }) => state === "ALIVE");
}

/** Reads the version out of the head of a page of Spark's. */
export function parseSparkVersion(html: string): string | undefined {
  return /class="version"[^>]*>\s*([\w.-]+)\s*</.exec(html)?.[1];
}

/** The package that clients are locked to, and what another version of a cluster leads to. */
const versions = {
  Spark: ["pyspark", "they do not understand each other: InvalidClassException, or jobs that hang"],
  Ray: ["ray", "Ray refuses clients of another version: Version mismatch"],
} as const;

/**
 * Whether a cluster has the version that its clients are locked to; one that is not known passes.
 */
export function otherVersion(
  engine: keyof typeof versions,
  { url, version }: ClusterFacts,
  fix: string,
): UserError[] {
  const [name, why] = versions[engine];
  const locked = lockedVersion(name);
  if (version === undefined || version === locked) return [];
  const what = `the ${engine} cluster at ${url} is version ${version}, and its clients are ${locked}`;
  return wrong(what, why, fix);
}

/** What to do about another version where the stack's own cluster should be. */
const replaceOwn = (stack: string) =>
  `end that cluster if it is not the stack's; else ${npm(stack, "start")} replaces what an older checkout has left`;

/** An application has its executors within seconds, unless it waits for another one. */
const maxWaitMs = 60_000;

export function sparkTrouble(
  facts: MasterFacts,
  subject: Pick<StackContext, "stack" | "settings">,
  logs: Logs,
): UserError[] {
  const { url, page, silent, at } = facts;
  const { stack, settings } = subject;
  const masterLog = logs(subject, "spark-master");
  const workerLog = logs(subject, "spark-worker-1");
  const start = npm(stack, "start");
  if (!page) {
    const what = `Spark's master does not answer at ${url} (${silent})`;
    return wrong(what, "Spark's jobs hang", `${masterLog}, then ${start}`);
  }
  const other = otherVersion("Spark", facts, replaceOwn(stack));
  if (other.length > 0) return other;
  if (page.status !== "ALIVE") {
    const why = "it gives no executors to jobs until it is ALIVE";
    const fix = `wait a minute, then look again; ${masterLog}`;
    return wrong(`Spark's master at ${url} is ${page.status}`, why, fix);
  }
  const alive = aliveWorkers(page).length;
  const tooFew = wrong(
    `${alive} of ${settings.sparkWorkers} Spark workers are registered at ${url}`,
    alive === 0
      ? "Spark's jobs wait for a worker: Initial job has not accepted any resources"
      : "Spark's jobs have fewer cores than the other engines",
    `${npm(stack, "status")} shows which is gone, ${workerLog} why; ${start} starts it again`,
  );
  const waiting = page.activeapps.filter(
    ({ state, starttime }) => state === "WAITING" && at - starttime > maxWaitMs,
  );
  return [
    ...(alive < settings.sparkWorkers ? tooFew : []),
    ...waiting.flatMap((app) => whyItWaits(app, page, workerLog)),
  ];
}

function whyItWaits(
  { name, memoryperexecutor: memory = 0 }: MasterPage["activeapps"][number],
  { workers, activeapps }: MasterPage,
  workerLog: string,
): UserError[] {
  const max = Math.max(0, ...workers.map((worker) => worker.memory));
  const mib = (n: number) => size(n * 2 ** 20);
  if (memory > max) {
    return wrong(
      `the Spark job ${name} wants executors of ${mib(memory)}, and no worker offers more than ${mib(max)}`,
      "it waits for ever: Initial job has not accepted any resources",
      "ask for less (spark.executor.memory), or set sparkWorkerMemory higher",
    );
  }
  const holders = activeapps.filter(({ cores }) => cores > 0).map((app) => app.name);
  const what = `the Spark job ${name} waits for executors`;
  if (holders.length === 0) return wrong(what, "no worker starts one for it", workerLog);
  return wrong(
    what,
    `${holders.join(", ")} has the cores`,
    "wait for it, or end that driver (a shell or notebook of yours keeps its cores while it is open)",
  );
}

/** Of a master that the stack has started. */
export const sparkCheck = (logs: Logs) =>
  check({
    id: "spark",
    name: "Spark's master has the locked version and its workers, and no job waits for them",
    ...whenDeployed,
    observe: ({ settings }) =>
      askMaster(`http://127.0.0.1:${ports(settings.portOffset).sparkMaster.ui}`),
    judge: (facts, context) => sparkTrouble(facts, context, logs),
  });

interface RayNode {
  readonly state?: string;
  readonly resources_total?: { readonly CPU?: number };
}

export interface DashboardFacts extends ClusterFacts {
  /** Whether it does not take the token. */
  readonly refused?: boolean;
  /** Those that are alive; undefined where it does not say. */
  readonly nodes?: readonly RayNode[];
}

/** Asks a Ray cluster for its version and its nodes. */
export async function askDashboard(url: string, token?: string): Promise<DashboardFacts> {
  const ask = (place: string) =>
    fetch(new URL(place, url), {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5_000),
      redirect: "error",
    });
  try {
    const answer = await ask("/api/version");
    if (answer.status === 401 || answer.status === 403) return { url, refused: true };
    if (!answer.ok) return { url, silent: `it says ${answer.status}` };
    const { ray_version: version = "unknown" } = (await answer.json()) as { ray_version?: string };
    const nodes = await ask("/api/v0/nodes?detail=1&limit=1000");
    return { url, version, nodes: nodes.ok ? aliveNodes(await nodes.json()) : undefined };
  } catch (error) {
    return { url, silent: whySilent(error) };
  }
}

/** The nodes that take work, out of what the dashboard answers; undefined where it names none. */
export function aliveNodes(answer: unknown): RayNode[] | undefined {
  const { data } = (answer ?? {}) as { data?: { result?: { result?: readonly RayNode[] } } };
  return data?.result?.result?.filter(({ state }) => state === "ALIVE");
}

/** @param wanted how many nodes the stack has started */
export function rayTrouble(
  facts: DashboardFacts,
  subject: Pick<StackContext, "stack">,
  wanted: number,
  logs: Logs,
): UserError[] {
  const { url, refused, nodes } = facts;
  const silent = refused ? "it refuses the stack's token" : facts.silent;
  const start = npm(subject.stack, "start");
  if (silent !== undefined) {
    return wrong(
      `Ray's head does not answer at ${url} (${silent})`,
      "Ray's jobs, and Daft's on Ray, cannot start or hang",
      `${logs(subject, "ray-head")}, then ${start}`,
    );
  }
  const other = otherVersion("Ray", facts, replaceOwn(subject.stack));
  if (other.length > 0 || nodes === undefined || nodes.length >= wanted) return other;
  return wrong(
    `${nodes.length} of ${wanted} nodes of the Ray cluster at ${url} are alive`,
    "tasks wait for CPUs and GPUs that nobody offers",
    `${npm(subject.stack, "status")} shows which is gone; ${start} starts it again`,
  );
}

/** Of a cluster that the stack has started. */
export const rayCheck = (nodes: number, logs: Logs) =>
  check({
    id: "ray",
    name: "Ray's head answers, has the locked version and its nodes",
    ...whenDeployed,
    observe: ({ stack, settings }) =>
      askDashboard(
        `http://127.0.0.1:${ports(settings.portOffset).ray.dashboard}`,
        readOr(stackFiles(stack).rayToken)?.trim() ?? "",
      ),
    judge: (facts, context) => rayTrouble(facts, context, nodes, logs),
  });
