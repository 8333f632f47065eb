import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { checkout } from "../../host/folders";
import type { Cluster, Executor } from "../../contracts/platform";
import { readStepRecord } from "../../stack/records";
import { storeAccess } from "../../stores/access";
import { UserError } from "../../contracts/errors";
import { jobEnvironment, makeScratch, modelOf, pythonOf, toolFolder } from "../../toolchain/tools";
import { findJava } from "../../host/runtimes";
import { freeBlock } from "../../host/freePorts";
import { datasetEnvironment, plainEnvironment } from "../../host/environment";
import { programStates } from "./services";
import type { ProgramInfo } from "./supervisorRpc";
import { localRayAccess } from "./place";
import { stackFiles } from "../../stack/files";

/** Runs jobs as processes of this user, next to the services of target `local`. */
export function localExecutor(stack: string): Executor {
  let scratch: string | undefined;
  return {
    async connection(cluster) {
      const programs = await programStates(stack);
      const pids = (is: (name: string) => boolean) =>
        programs
          .filter(({ name, pid }) => is(name) && pid > 0)
          .map(({ name, pid }) => ({ name, pid }));
      scratch = makeScratch(stack);
      const store = storeAccess(stack);
      return {
        store: { ...store, pids: pids((name) => name === "minio").map(({ pid }) => pid) },
        spark: cluster === "spark" ? await sparkOf(stack, programs) : null,
        ray: rayOf(stack),
        model: modelOf(stack),
        services: pids(belongsTo(cluster)),
        scratch,
      };
    },
    start(_cluster, mayDownload) {
      const environment = mayDownload ? datasetEnvironment() : plainEnvironment();
      const child = spawn(pythonOf(stack), ["-m", "engine_comparison.leader"], {
        cwd: checkout,
        env: { ...environment, ...jobEnvironment(stack), ...localRayAccess(stack) },
        stdio: ["pipe", "pipe", "pipe"],
      });
      const done = scratch;
      if (done) child.once("close", () => fs.rmSync(done, { recursive: true, force: true }));
      return child;
    },
  };
}

/** Whose memory and CPU count as the engine's. */
function belongsTo(cluster: Cluster): (service: string) => boolean {
  switch (cluster) {
    case "spark":
      return (name) => name.startsWith("spark-");
    case "ray":
      return (name) => name === "ray-head";
    case "none":
      return () => false;
  }
}

/** What a service's step recorded. */
function recorded<T>(stack: string, service: string): T {
  const standing = readStepRecord(stack, service);
  if (!standing) {
    throw new UserError(
      `${service} does not stand in stack ${stack}`,
      "the job needs it",
      "run npm start (or pulumi up) first",
    );
  }
  return standing.result as T;
}

interface MasterResult {
  readonly master: string;
  readonly driverPorts: readonly number[];
}

async function sparkOf(stack: string, programs: readonly ProgramInfo[]) {
  const { master, driverPorts } = recorded<MasterResult>(stack, "spark-master");
  const workers = programs.filter(({ name }) => name.startsWith("spark-worker-"));
  const worker = recorded<{ cores: number; memory: string }>(stack, "spark-worker-1");
  return {
    master,
    jars: toolFolder(stack, "jars"),
    javaHome: findJava().home,
    secretFile: stackFiles(stack).sparkSecret,
    workers: workers.length,
    workerCores: worker.cores,
    workerMemory: worker.memory,
    portBase: await freeBlock(driverPorts),
  };
}

function rayOf(stack: string) {
  const ray = readStepRecord(stack, "ray-head")?.result;
  if (!ray) return null;
  return {
    address: ray.address,
    tokenFile: stackFiles(stack).rayToken,
    cpus: ray.cpus,
    gpus: ray.gpus,
  };
}
