import * as fs from "node:fs";
import * as path from "node:path";
import type { Cluster, Executor } from "../../contracts/platform";
import type { ServiceLog, Services, ServiceView } from "../../contracts/target";
import { namesIn, readOr } from "../../host/folders";
import { freeBlock } from "../../host/freePorts";
import { findJava } from "../../host/runtimes";
import { stackFiles } from "../../stack/files";
import { inspected, readStepRecord, recordedNames, type Inspected } from "../../stack/records";
import { storeAccess } from "../../stores/access";
import { makeScratch, modelOf, existingTools, toolFolder } from "../../toolchain/tools";
import { pythonVariables, resultOf, shellHere, startLeader } from "../processes";
import { localRayAccess } from "./place";
import { askSupervisor, programStates } from "./services";

/** Runs jobs as processes of this user, next to the services of target `local`. */
export function executor(stack: string): Executor {
  let scratch: string | undefined;
  return {
    async connection(cluster) {
      const programs = await programStates(stack);
      const running = (programs ?? []).filter(({ pid }) => pid > 0);
      const services = running.filter(({ name }) => belongsTo(cluster, name));
      const stores = running.filter(({ name }) => ["minio", "toxiproxy"].includes(name));
      const shaped = readStepRecord(stack, "toxiproxy")?.result.shaped as Record<string, string>;
      scratch = makeScratch(stack);
      return {
        store: { ...storeAccess(stack), shaped, pids: stores.map(({ pid }) => pid) },
        spark: cluster === "spark" ? await sparkOf(stack) : null,
        ray: rayOf(stack),
        model: modelOf(stack),
        services: services.map(({ name, pid }) => ({ name, pid })),
        scratch,
      };
    },
    start: (_cluster, mayDownload) =>
      startLeader(stack, { mayDownload, scratch, more: localRayAccess(stack) }),
  };
}

/** Whether a service's memory and CPU count as those of an engine on the cluster. */
function belongsTo(cluster: Cluster, service: string): boolean {
  return cluster !== "none" && service.startsWith(cluster === "ray" ? "ray-head" : "spark-");
}

async function sparkOf(stack: string) {
  const { master, driverPorts } = resultOf<{ master: string; driverPorts: number[] }>(
    stack,
    "spark-master",
  );
  const worker = resultOf<{ cores: number; memory: string }>(stack, "spark-worker-1");
  return {
    master,
    jars: toolFolder(stack, "jars"),
    javaHome: findJava().home,
    secretFile: stackFiles(stack).sparkSecret,
    workerCores: worker.cores,
    workerMemory: worker.memory,
    portBase: await freeBlock(driverPorts),
  };
}

function rayOf(stack: string) {
  const ray = readStepRecord(stack, "ray-head")?.result;
  if (!ray) return null;
  const { address, cpus } = ray;
  return { address, tokenFile: stackFiles(stack).rayToken, cpus };
}

/** The services of target `local`: processes under the stack's supervisor. */
export const services: Services = {
  async status(stack) {
    const pid = await askSupervisor<number>(stack, "getPID");
    const supervisor = { name: "supervisor", state: pid === undefined ? "DEAD" : "RUNNING", pid };
    return [supervisor, ...(await serviceStatus(stack))];
  },

  shell: (stack) => shellHere(stack, shellEnvironment(stack)),

  logs(stack) {
    const { logs } = stackFiles(stack);
    const files = namesIn(logs).filter((name) => name.endsWith(".log"));
    return new Map<string, ServiceLog>(
      files.map((name) => [name.slice(0, -".log".length), { file: path.join(logs, name) }]),
    );
  },
};

/** Services that a stack should have, by their records and by what its supervisor runs. */
export async function serviceStatus(stack: string): Promise<ServiceView[]> {
  const answer = await programStates(stack);
  const programs = answer ?? [];
  const gone = answer ? "STOPPED" : "DEAD";
  const names = new Set([
    ...recordedNames(stack).filter(isService),
    ...programs.map(({ name }) => name),
  ]);
  return [...names].sort().map((name) => {
    const program = programs.find((each) => each.name === name);
    const result = (readStepRecord(stack, name)?.result ?? {}) as Record<string, string>;
    const url = result.console ?? result.ui ?? result.dashboard;
    return {
      name,
      state: program?.statename ?? gone,
      ...(program?.pid ? { pid: program.pid, uptime: program.now - program.start } : {}),
      ...(url ? { url } : {}),
    };
  });
}

/**
 * Environment of an interactive shell next to the services: what the seed's `app` container has.
 * The Ray token is named by its file; MinIO's keys and Spark's secret are in the stack folder.
 *
 * @throws UserError where the stack is not deployed
 */
export function shellEnvironment(stack: string): Record<string, string> {
  const address = readStepRecord(stack, "ray-head")?.result.address as string | undefined;
  const master = readStepRecord(stack, "spark-master")?.result.master as string | undefined;
  return {
    ...pythonVariables(stack),
    ...localRayAccess(stack),
    JAVA_HOME: findJava().home,
    DAFT_RUNNER: "native",
    ...(master ? { SPARK_MASTER: master } : {}),
    ...(address ? { RAY_ADDRESS: address } : {}),
  };
}

/** Looks at the stack's processes and files; changes nothing. */
export async function inspect(stack: string): Promise<Inspected> {
  const alive = new Set<string>();
  const programs = await programStates(stack);
  if (programs) alive.add("supervisor");
  for (const { name, statename } of programs ?? []) {
    if (statename === "RUNNING" || statename === "STARTING") alive.add(name);
  }
  if (fs.existsSync(stackFiles(stack).minioDataId)) alive.add("minio-data");
  const all = inspected(stack, [...alive, ...existingTools(stack)], (name) =>
    isService(name) || name === "supervisor" ? "stopped" : "was removed",
  );
  return {
    ...all,
    // What is on the drive goes by the id there: run keys follow from it.
    generation: (name) => (name === "minio-data" && dataId(stack)) || all.generation(name),
  };
}

/** The generation of the data on MinIO's drive, where no record says it. */
function dataId(stack: string): string | undefined {
  if (readStepRecord(stack, "minio-data")) return undefined;
  return readOr(stackFiles(stack).minioDataId);
}

/** Services with a record that do not run any more, e.g. after a reboot. */
export function stoppedServices(stack: string, inspected: Inspected): string[] {
  return recordedNames(stack).filter((name) => isService(name) && !inspected.alive(name));
}

/** Whether a resource of this name is a service under the supervisor. */
function isService(name: string): boolean {
  return /^(minio|toxiproxy|spark-master|spark-worker-\d+|ray-head)$/.test(name);
}
