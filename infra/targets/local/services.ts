import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../contracts/errors";
import { ownEnvironment } from "../../host/environment";
import { readOr, removeLast } from "../../host/folders";
import { startOf } from "../../host/processTable";
import type { ServiceSpec } from "../../services";
import {
  makeShortFolder,
  makeStackFolders,
  rayFolder,
  shortFolder,
  shortHash,
  stackFiles,
  supervisorSocket,
  writeWhole,
} from "../../stack/files";
import { readOwner, stackId } from "../../stack/owner";
import type { StepVerbs } from "../../stack/runStep";
import { pythonOf } from "../../toolchain/tools";
import { localService, writeConfiguration, type LocalSpec } from "./place";
import {
  callSupervisor,
  endOrphans,
  serviceVariable,
  programConf,
  RpcFault,
  supervisordConf,
  type ProgramInfo,
} from "./supervisord";

/** A quick question to the stack's supervisord; undefined where it does not answer. */
export async function askSupervisor<Answer>(stack: string, method: string) {
  try {
    return (await callSupervisor(supervisorSocket(stack), method, [], 5_000)) as Answer;
  } catch {
    return undefined;
  }
}

/** supervisord's view of each program of the stack; undefined where it does not answer. */
export const programStates = (stack: string) =>
  askSupervisor<readonly ProgramInfo[]>(stack, "getAllProcessInfo");

async function programState(stack: string, name: string): Promise<ProgramInfo | undefined> {
  return (await programStates(stack))?.find((program) => program.name === name);
}

/** The stack's supervisord. Started afresh, it starts nothing: each service has its own step. */
export const supervisor = {
  async create({ stack }) {
    const { supervisor: folder, supervisorLog, programs, logs } = stackFiles(stack);
    for (const each of [folder, logs]) fs.mkdirSync(each, { recursive: true, mode: 0o700 });
    const id = stackId(stack);
    await stopSupervisor(stack);
    fs.rmSync(programs, { recursive: true, force: true });
    fs.mkdirSync(programs, { mode: 0o700 });
    const folders = makeStackFolders(stack);
    const socket = supervisorSocket(stack);
    fs.rmSync(socket, { force: true });
    const configuration = path.join(folder, "supervisord.conf");
    fs.writeFileSync(configuration, supervisordConf(folder, socket), { mode: 0o600 });

    // Its own session and no descriptor of ours: the provider waits for whoever holds its pipes.
    // The umask holds for the services' logs, which supervisord itself opens.
    const umask = process.umask(0o077);
    const args = ["-m", "supervisor.supervisord", "-n", "-c", configuration];
    const child = spawn(pythonOf(stack), args, {
      cwd: folder,
      env: { ...ownEnvironment(folders), [serviceVariable]: `${id}/supervisor` },
      detached: true,
      stdio: "ignore",
    });
    process.umask(umask);
    child.unref();
    const deadline = Date.now() + 30_000;
    const mayStart = () =>
      Date.now() < deadline && child.pid !== undefined && startOf(child.pid) !== "";
    while (!(await programStates(stack))) {
      if (mayStart()) await sleep(50);
      else
        throw new UserError(
          "supervisord did not start",
          "it keeps the stack's services alive",
          `read ${supervisorLog}`,
        );
    }
    return { supervisor: "supervisord" };
  },

  async delete({ stack }) {
    await stopSupervisor(stack);
    // With what killed jobs left on disk.
    const { scratch, spark, supervisor: folder } = stackFiles(stack);
    for (const each of [scratch, spark, folder, shortFolder(stack)]) {
      fs.rmSync(each, { recursive: true, force: true });
    }
  },
} satisfies StepVerbs<unknown>;

/**
 * Ends the stack's supervisord and every process of its services. Nothing is left to do when they
 * are dead already, and no Python is needed.
 */
async function stopSupervisor(stack: string): Promise<void> {
  const id = readOwner(stack)?.id;
  const socket = supervisorSocket(stack);
  try {
    // All at once: a shutdown alone stops one service after the other.
    await callSupervisor(socket, "stopAllProcesses", [true], 60_000);
    await callSupervisor(socket, "shutdown");
    const deadline = Date.now() + 15_000;
    while (Date.now() < deadline && (await programStates(stack))) await sleep(50);
  } catch {
    // dead or hung: what it leaves is found by its mark
  }
  if (id) await endOrphans(id);
}

/** A service: the program, and how one sees that it does its work. */
export interface Service extends Omit<ServiceSpec, "health"> {
  readonly name: string;
  readonly directory: string;
  /** Whether it answers; asked again and again while it starts. */
  readonly healthy: () => Promise<boolean>;
}

/**
 * Makes a service run as declared and waits until it is healthy. One that runs so already is left
 * alone; any other is restarted, and only that one.
 *
 * @param spec what the service depends on: when it differs from the running one's, that is restarted
 * @throws UserError with the last lines of its log when it does not become healthy; it is then ended
 */
export async function convergeService(stack: string, service: Service, spec: unknown) {
  const id = stackId(stack);
  const { name } = service;
  const text = programConf({
    ...service,
    log: stackFiles(stack).log(name),
    env: {
      ...service.env,
      [serviceVariable]: `${id}/${name}`,
      ENGINE_COMPARISON_SPEC: shortHash(spec),
    },
  });
  const file = stackFiles(stack).program(name);
  if (readOr(file) !== text || (await programState(stack, name))?.statename !== "RUNNING") {
    await removeProgram(stack, name);
    await endOrphans(id, (other) => other === name);
    fs.mkdirSync(stackFiles(stack).logs, { recursive: true, mode: 0o700 });
    writeWhole(file, text);
    const socket = supervisorSocket(stack);
    await callSupervisor(socket, "reloadConfig");
    await callSupervisor(socket, "addProcessGroup", [name]);
  }
  await untilHealthy(stack, service);
}

/** Ends a program and removes it from supervisord, if it and supervisord exist. */
async function removeProgram(stack: string, name: string): Promise<void> {
  fs.rmSync(stackFiles(stack).program(name), { force: true });
  const socket = supervisorSocket(stack);
  for (const method of ["stopProcessGroup", "removeProcessGroup"]) {
    try {
      await callSupervisor(socket, method, [name], 60_000);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      const gone = ["ECONNREFUSED", "ENOENT"].includes(code);
      if (!(error instanceof RpcFault) && !gone) throw error;
    }
  }
}

/** Ends a service and forgets it. Idempotent, and works without a supervisor. */
export async function removeService(stack: string, name: string): Promise<void> {
  await removeProgram(stack, name);
  const id = readOwner(stack)?.id;
  if (id) await endOrphans(id, (other) => other === name);
  const log = stackFiles(stack).log(name);
  for (const file of [`${log}.1`, log]) removeLast(file);
}

async function untilHealthy(stack: string, service: Service): Promise<void> {
  const { name, startSeconds } = service;
  const deadline = Date.now() + startSeconds * 1000;
  let state = "unknown";
  while (Date.now() < deadline) {
    const program = await programState(stack, name);
    state = program ? `${program.statename}${program.spawnerr && `: ${program.spawnerr}`}` : "gone";
    if (program?.statename === "FATAL") break;
    if (program?.statename === "RUNNING" && (await service.healthy())) {
      await sleep((service.settleSeconds ?? 0) * 1000);
      if ((await programState(stack, name))?.pid === program.pid) return;
    }
    await sleep(150);
  }
  await removeProgram(stack, name);
  const log = stackFiles(stack).log(name);
  const ended = state.startsWith("FATAL");
  const what = ended ? "ends as soon as it is started" : `was not healthy after ${startSeconds} s`;
  throw new UserError(
    `${name} ${what} (${state})\n${lastLines(log, 8)}`,
    "the next steps need it",
    `read ${log}; then run the same command again`,
  );
}

/** The last lines of a log, indented, for a message; what is repeated, once. */
function lastLines(file: string, count: number): string {
  const lines = (readOr(file) ?? "(no log)").trimEnd().split("\n");
  const last = lines.filter((line, i) => line !== lines[i - 1]).slice(-count);
  return last.map((line) => `  | ${line.slice(0, 300)}`).join("\n");
}

/** The drive that MinIO stores on. Deleted with all that is in it. */
export const minioData = {
  async create({ stack, spec }) {
    fs.mkdirSync(stackFiles(stack).minioData, { recursive: true, mode: 0o700 });
    writeWhole(stackFiles(stack).minioDataId, spec.generation);
    return { data: "minio/data" };
  },
  async delete({ stack }) {
    fs.rmSync(stackFiles(stack).minio, { recursive: true, force: true });
  },
} satisfies StepVerbs<{ readonly generation: string }>;

export const service = {
  async create({ stack, name, spec }) {
    const { service, result } = localService(stack, name, spec);
    writeConfiguration(stack, spec.portOffset);
    const folder = ownFolder(stack, name, spec);
    if (spec.ray) makeShortFolder(stack);
    if (folder) fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    await convergeService(stack, { name, directory: stackFiles(stack).root, ...service }, spec);
    return result;
  },

  async delete({ stack, name, spec }) {
    await removeService(stack, name);
    const folder = ownFolder(stack, name, spec);
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  },
} satisfies StepVerbs<LocalSpec>;

/** What a service keeps on disk while it runs, besides data. */
function ownFolder(stack: string, name: string, spec: LocalSpec): string | undefined {
  if (spec.ray) return rayFolder(stack);
  return spec.worker && path.join(stackFiles(stack).spark, name);
}
