import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../folders";
import type { Cluster, Connection, Executor } from "../executor";
import { readStanding } from "../standing";
import { storeAccess } from "../storage/access";
import { UserError } from "../userError";
import { jobEnvironment } from "./jobEnvironment";
import { findJava } from "./machine/java";
import { areFree } from "../freePorts";
import { places } from "./places";
import { sparkDriverBlock } from "../ports";
import { datasetEnvironment, plainEnvironment } from "./processes/environment";
import { startOf } from "./processes/processTable";
import { programStates } from "./processes/services";
import type { ProgramInfo } from "./processes/supervisorRpc";
import { rayAccess } from "./rayAccess";
import { credentialFiles, readCredentials } from "../credentials/files";
import { pythonOf, toolFolder } from "./tools";

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
      const store = storeOf(stack);
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
        env: { ...environment, ...jobEnvironment(stack), ...rayAccess(stack) },
        stdio: ["pipe", "pipe", "pipe"],
      });
      const done = scratch;
      if (done) child.once("close", () => fs.rmSync(done, { recursive: true, force: true }));
      return child;
    },
    storeFromHere: async () => storeOf(stack),
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
  const standing = readStanding(stack, service);
  if (!standing) {
    throw new UserError(
      `${service} does not stand in stack ${stack}`,
      "the job needs it",
      "run npm start (or pulumi up) first",
    );
  }
  return standing.result as T;
}

function storeOf(stack: string): Connection["store"] {
  const external = storeAccess(stack);
  if (external) return external;
  const { endpoint } = recorded<{ endpoint: string }>(stack, "minio");
  const credentials = readCredentials(stack);
  if (!credentials) throw new Error(`stack ${stack} has no credentials`);
  return {
    endpoint,
    region: "us-east-1",
    accessKey: credentials.minioRootUser,
    secretKey: credentials.minioRootPassword,
    pathStyle: true,
  };
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
    secretFile: credentialFiles(stack).sparkSecret,
    workers: workers.length,
    workerCores: worker.cores,
    workerMemory: worker.memory,
    portBase: await freeBlock(driverPorts),
  };
}

/** The first block of ports that a driver can have. */
export async function freeBlock(firsts: readonly number[]): Promise<number> {
  for (const first of firsts) {
    if (await areFree(first, sparkDriverBlock)) return first;
  }
  throw new UserError(
    `no ${sparkDriverBlock} free ports in a row from ${firsts.join(", ")} on`,
    "a Spark driver listens on its own ports",
    "end other drivers, or set another portOffset",
  );
}

function rayOf(stack: string) {
  const ray = readStanding(stack, "ray-head")?.result;
  if (!ray) return null;
  return {
    address: ray.address,
    tokenFile: credentialFiles(stack).rayToken,
    cpus: ray.cpus,
    gpus: ray.gpus,
  };
}

/** Where the model is that jobs load; null where there is none. */
export function modelOf(stack: string) {
  if (!readStanding(stack, "model")) return null;
  const folder = toolFolder(stack, "model");
  const labels = path.join(folder, "labels.json");
  return {
    path: path.join(folder, "model.onnx"),
    labels: fs.existsSync(labels) ? labels : null,
  };
}

/** A folder for one job, named by this process so that a killed one's is found and removed. */
export function makeScratch(stack: string): string {
  const { scratch: all } = places(stack);
  fs.mkdirSync(all, { recursive: true, mode: 0o700 });
  for (const name of fs.readdirSync(all)) {
    const [pid, start] = name.split("-");
    if (startOf(Number(pid)) !== start)
      fs.rmSync(path.join(all, name), { recursive: true, force: true });
  }
  const name = [process.pid, startOf(process.pid), randomBytes(4).toString("hex")].join("-");
  const folder = path.join(all, name);
  fs.mkdirSync(folder, { mode: 0o700 });
  return folder;
}
