import { npm, size, wrong } from "../contracts/check";
import { UserError } from "../contracts/errors";
import { check, deployed, type Logs, type StackContext } from "../host/checks";
import { ports } from "../settings/ports";
import { lockedVersion } from "../toolchain/locks";

/** What a Spark master says at `/json/`, as far as it is read here. Memory is in MiB. */
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
    readonly memoryperslave?: number;
  }[];
}

/** What was found where a master's page should be. */
export interface MasterFacts {
  readonly url: string;
  /** When it was asked, in milliseconds of the epoch. */
  readonly at: number;
  readonly page?: MasterPage;
  /** Why there is no page. */
  readonly silent?: string;
  /** As the page in HTML shows it. */
  readonly version?: string;
}

/** @param url of the page, such as `http://127.0.0.1:8080` */
export async function askMaster(url: string): Promise<MasterFacts> {
  const get = (path: string) => fetch(new URL(path, url), { signal: AbortSignal.timeout(5_000) });
  const at = Date.now();
  try {
    const [page, html] = await Promise.all([get("/json/"), get("/")]);
    return {
      url,
      at,
      page: (await page.json()) as MasterPage,
      version: parseSparkVersion(await html.text()),
    };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return { url, at, silent: cause?.code ?? message };
  }
}

/** The workers of a page that take executors. */
export function aliveWorkers({ workers }: Pick<MasterPage, "workers">): MasterPage["workers"] {
  return workers.filter(({ state }) => state === "ALIVE");
}

/** Reads the version out of the head of a page of Spark's. */
export function parseSparkVersion(html: string): string | undefined {
  return /class="version"[^>]*>\s*([\w.-]+)\s*</.exec(html)?.[1];
}

/** @param fix what to do about it */
export function otherSparkVersion({ url, version }: MasterFacts, fix: string): UserError[] {
  const why = "they do not understand each other: InvalidClassException, or jobs that hang";
  return otherVersion(`the Spark cluster at ${url}`, version, lockedVersion("pyspark"), why, fix);
}

/** Whether a cluster has the version that its clients are locked to; one that is not known passes. */
export function otherVersion(
  cluster: string,
  version: string | undefined,
  locked: string,
  why: string,
  fix: string,
): UserError[] {
  if (version === undefined || version === locked) return [];
  return wrong(`${cluster} is version ${version}, and its clients are ${locked}`, why, fix);
}

/** What to do about another version where the stack's own cluster should be. */
export const replaceOwn = (stack: string) =>
  `end that cluster if it is not the stack's; else ${npm(stack, "start")} replaces what an older checkout has left`;

/** An application has its executors within seconds, unless it waits for somebody. */
const maxWaitMs = 60_000;

type Subject = Pick<StackContext, "stack" | "settings">;

export function sparkTrouble(facts: MasterFacts, subject: Subject, logs: Logs): UserError[] {
  const { url, page, silent, at } = facts;
  const { stack, settings } = subject;
  const masterLog = logs(subject, "spark-master");
  const workerLog = logs(subject, "spark-worker-1");
  const start = npm(stack, "start");
  if (!page) {
    const what = `Spark's master does not answer at ${url} (${silent})`;
    return wrong(what, "Spark's jobs hang", `${masterLog}, then ${start}`);
  }
  const other = otherSparkVersion(facts, replaceOwn(stack));
  if (other.length > 0) return other;
  if (page.status !== "ALIVE") {
    const why = "it gives no executors to jobs until it is ALIVE";
    const fix = `wait a minute, then look again; ${masterLog}`;
    return wrong(`Spark's master at ${url} is ${page.status}`, why, fix);
  }
  const alive = aliveWorkers(page).length;
  const tooFew =
    alive >= settings.sparkWorkers
      ? []
      : wrong(
          `${alive} of ${settings.sparkWorkers} Spark workers are registered at ${url}`,
          alive === 0
            ? "Spark's jobs wait for a worker: Initial job has not accepted any resources"
            : "Spark's jobs have fewer cores than the other engines",
          `${npm(stack, "status")} shows which is gone, ${workerLog} why; ${start} starts it again`,
        );
  const waiting = page.activeapps.filter(
    ({ state, starttime }) => state === "WAITING" && at - starttime > maxWaitMs,
  );
  return [...tooFew, ...waiting.flatMap((app) => whyItWaits(app, page, workerLog))];
}

function whyItWaits(
  { name, memoryperexecutor, memoryperslave }: MasterPage["activeapps"][number],
  { workers, activeapps }: MasterPage,
  workerLog: string,
): UserError[] {
  const memory = memoryperexecutor ?? memoryperslave ?? 0;
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
    blocks: false,
    applies: deployed,
    after: ["docker"],
    observe: ({ settings }) =>
      askMaster(`http://127.0.0.1:${ports(settings.portOffset).sparkMaster.ui}`),
    judge: (facts, context) => sparkTrouble(facts, context, logs),
  });
