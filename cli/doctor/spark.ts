import { lockedVersion } from "../../infra/toolchain/locks";
import {
  aliveWorkers,
  askMaster,
  type MasterPage,
  type MasterSeen,
} from "../../infra/host/masterPage";
import { ports } from "../../infra/settings/ports";
import { UserError } from "../../infra/contracts/errors";
import {
  check,
  logs,
  npm,
  otherVersion,
  size,
  stands,
  startsEngines,
  type Check,
  type Named,
  type Patient,
} from "./check";

/** An application has its executors within seconds, unless it waits for somebody. */
const waitsTooLong = 60_000;

/** @param now milliseconds of the epoch */
export function sparkTrouble(
  { url, page, silent }: MasterSeen,
  patient: Named,
  now: number,
): UserError[] {
  if (!page) {
    return [
      new UserError(
        `Spark's master does not answer at ${url} (${silent})`,
        "Spark's jobs hang",
        `${logs(patient, "spark-master")}, then ${npm(patient.stack, "start")}`,
      ),
    ];
  }
  if (page.status !== "ALIVE") {
    return [
      new UserError(
        `Spark's master at ${url} is ${page.status}`,
        "it gives no executors to jobs until it is ALIVE",
        `wait a minute, then look again; ${logs(patient, "spark-master")}`,
      ),
    ];
  }
  return [
    ...tooFewWorkers(aliveWorkers(page).length, url, patient),
    ...page.activeapps
      .filter(({ state, starttime }) => state === "WAITING" && now - starttime > waitsTooLong)
      .map((app) => waiting(app, page, patient)),
  ];
}

function tooFewWorkers(alive: number, url: string, patient: Named): UserError[] {
  const wanted = patient.settings.sparkWorkers;
  if (alive >= wanted) return [];
  return [
    new UserError(
      `${alive} of ${wanted} Spark workers are registered at ${url}`,
      alive === 0
        ? "Spark's jobs wait for a worker: Initial job has not accepted any resources"
        : "Spark's jobs have fewer cores than the other engines",
      `${npm(patient.stack, "status")} shows which is gone, ${logs(patient, "spark-worker-1")} why; ` +
        `${npm(patient.stack, "start")} starts it again`,
    ),
  ];
}

function waiting(
  { name, memoryperexecutor, memoryperslave }: MasterPage["activeapps"][number],
  { workers, activeapps }: MasterPage,
  patient: Named,
): UserError {
  const memory = memoryperexecutor ?? memoryperslave ?? 0;
  const most = Math.max(0, ...workers.map((worker) => worker.memory));
  const holders = activeapps.filter(({ cores }) => cores > 0).map((app) => app.name);
  const mib = (n: number) => size(n * 2 ** 20);
  if (memory > most) {
    return new UserError(
      `the Spark job ${name} wants executors of ${mib(memory)}, and no worker offers more than ${mib(most)}`,
      "it waits for ever: Initial job has not accepted any resources",
      "ask for less (spark.executor.memory), or set sparkWorkerMemory higher",
    );
  }
  return new UserError(
    `the Spark job ${name} waits for executors`,
    holders.length > 0 ? `${holders.join(", ")} has the cores` : "no worker starts one for it",
    holders.length > 0
      ? "wait for it, or end that driver (a shell or notebook of yours keeps its cores while it is open)"
      : logs(patient, "spark-worker-1"),
  );
}

export function wrongSpark(seen: MasterSeen, locked: string): UserError[] {
  const effect = "they do not understand each other: InvalidClassException, or jobs that hang";
  return otherVersion("Spark", seen, locked, effect);
}

const askOwnMaster = ({ settings }: Patient) =>
  askMaster(`http://127.0.0.1:${ports(settings.portOffset).sparkMaster.ui}`);

export const sparkChecks: readonly Check[] = [
  check({
    id: "spark",
    name: "Spark's master has its workers, and no job waits for them",
    applies: (patient) => stands(patient) && startsEngines(patient),
    after: ["docker"],
    observe: askOwnMaster,
    judge: (seen, patient) => sparkTrouble(seen, patient, Date.now()),
  }),
  check({
    id: "spark-version",
    name: "Spark's cluster and its clients have one version",
    applies: (patient) => stands(patient) && startsEngines(patient),
    after: ["docker", "spark"],
    observe: askOwnMaster,
    judge: (seen) => wrongSpark(seen, lockedVersion("pyspark")),
  }),
];
