import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readOwner, stackId } from "../../stack/owner";
import { UserError } from "../../contracts/errors";
import { makeShortFolder, shortFolder, stackFiles, supervisorSocket } from "../../stack/files";
import type { ServiceSpec } from "../../services";
import { plainEnvironment } from "../../host/environment";
import { endLeftovers, marker } from "./orphans";
import { startOf } from "../../host/processTable";
import { callSupervisor } from "./supervisorRpc";

/** A service as supervisord runs it. */
export interface Program extends Pick<ServiceSpec, "argv" | "env" | "stopSignal" | "stopSeconds"> {
  readonly name: string;
  readonly directory: string;
  readonly log: string;
}

/** Whether the stack's supervisord answers. */
export async function supervisorAnswers(stack: string): Promise<boolean> {
  try {
    await callSupervisor(supervisorSocket(stack), "getState", [], 5_000);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts the stack's supervisord afresh: what another one left behind is ended first, and no
 * service is started, because each has a step of its own.
 *
 * @param python the interpreter of the environment that holds supervisor
 * @throws UserError when it does not answer in time
 */
export async function startSupervisor(stack: string, python: string): Promise<void> {
  const { supervisor, programs: confFolder, logs } = stackFiles(stack);
  for (const folder of [supervisor, logs]) fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const id = stackId(stack);
  await stopSupervisor(stack);
  fs.rmSync(confFolder, { recursive: true, force: true });
  fs.mkdirSync(confFolder, { mode: 0o700 });
  makeShortFolder(stack);
  const socket = supervisorSocket(stack);
  fs.rmSync(socket, { force: true });
  const configuration = path.join(supervisor, "supervisord.conf");
  fs.writeFileSync(configuration, supervisordConf(stack, socket), { mode: 0o600 });

  // A session of its own and no descriptor of ours: the provider waits for whoever holds its pipes.
  // The umask holds for the services' logs, which supervisord itself opens.
  const umask = process.umask(0o077);
  const child = spawn(python, ["-m", "supervisor.supervisord", "-n", "-c", configuration], {
    cwd: supervisor,
    env: { ...plainEnvironment(), [marker]: `${id}/supervisor` },
    detached: true,
    stdio: "ignore",
  });
  process.umask(umask);
  child.unref();
  await waitForSupervisor(stack, child.pid);
}

async function waitForSupervisor(stack: string, pid: number | undefined): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (await supervisorAnswers(stack)) return;
    if (pid === undefined || startOf(pid) === "") break;
    await sleep(50);
  }
  throw new UserError(
    "supervisord did not start",
    "it keeps the stack's services alive",
    `read ${stackFiles(stack).supervisorLog}`,
  );
}

/**
 * Ends the stack's supervisord and every process of its services. Nothing is left to do when they
 * are dead already, and no Python is needed.
 */
export async function stopSupervisor(stack: string): Promise<void> {
  const id = readOwner(stack)?.id;
  const socket = supervisorSocket(stack);
  try {
    // All at once: a shutdown alone stops one service after the other.
    await callSupervisor(socket, "stopAllProcesses", [true], 60_000);
    await callSupervisor(socket, "shutdown");
    const deadline = Date.now() + 15_000;
    while (Date.now() < deadline && (await supervisorAnswers(stack))) await sleep(50);
  } catch {
    // dead, or not to be talked to: what it leaves is found by its mark
  }
  if (id) await endLeftovers(id);
}

/** Removes what the supervisor keeps on disk, and what killed jobs left there. */
export function removeSupervisor(stack: string): void {
  const { scratch, spark, supervisor } = stackFiles(stack);
  for (const folder of [scratch, spark, supervisor, shortFolder(stack)]) {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function supervisordConf(stack: string, socket: string): string {
  const { supervisor } = stackFiles(stack);
  return [
    section("unix_http_server", { file: socket, chmod: "0700" }),
    section("supervisord", {
      logfile: path.join(supervisor, "supervisord.log"),
      logfile_maxbytes: "2MB",
      logfile_backups: "1",
      pidfile: path.join(supervisor, "supervisord.pid"),
      childlogdir: supervisor,
      identifier: "engine-comparison",
      umask: "077",
      minfds: String(openFiles()),
      silent: "true",
    }),
    section("rpcinterface:supervisor", {
      "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
    }),
    section("include", { files: path.join("conf.d", "*.conf") }),
  ].join("\n");
}

/** What the services may have open: MinIO and Ray want many files, the limit is the user's. */
function openFiles(): number {
  try {
    const limits = fs.readFileSync("/proc/self/limits", "utf8");
    const hard = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1]);
    return Math.min(hard || 1024, 65_536);
  } catch {
    return 1024;
  }
}

/** A section of supervisord's configuration; `%` is doubled, because it expands. */
function section(title: string, values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values).map(([key, value]) => `${key}=${value.replace(/%/g, "%%")}`);
  return [`[${title}]`, ...lines, ""].join("\n");
}

/**
 * Quotes a word for supervisord's configuration, which has no way to escape a quote.
 *
 * @throws UserError for a word that cannot be written
 */
function quoted(word: string): string {
  if (/["\n\\]|\s[;#]/.test(word)) {
    throw new UserError(
      `the path or value ${JSON.stringify(word)} has a quote, a backslash, a line break or a comment sign in it`,
      "supervisord cannot be given such a word",
      "set ENGINE_COMPARISON_HOME and ENGINE_COMPARISON_CACHE to folders with plain names",
    );
  }
  return `"${word}"`;
}

/** The configuration file of one program. */
export function programConf(program: Program): string {
  const environment = Object.entries(program.env).map(
    ([name, value]) => `${name}=${quoted(value)}`,
  );
  return section(`program:${program.name}`, {
    command: program.argv.map(quoted).join(" "),
    directory: program.directory,
    environment: environment.join(","),
    autostart: "true",
    autorestart: "true",
    startsecs: "1",
    startretries: "3",
    stopsignal: program.stopSignal ?? "TERM",
    stopwaitsecs: String(program.stopSeconds),
    stopasgroup: "true",
    killasgroup: "true",
    redirect_stderr: "true",
    stdout_logfile: program.log,
    stdout_logfile_maxbytes: "10MB",
    stdout_logfile_backups: "1",
  });
}
