import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { shortHash, stackFiles, supervisorSocket } from "../../stack/files";
import { removeLast } from "../../host/folders";
import { readOwner, stackId } from "../../stack/owner";
import { UserError } from "../../contracts/errors";
import type { ServiceSpec } from "../../services";
import { endLeftovers, marker } from "./orphans";
import { programConf } from "./supervisord";
import { callSupervisor, RpcFault, type ProgramInfo } from "./supervisorRpc";

/** A service: the program, and how one sees that it does its work. */
export interface Service extends Omit<ServiceSpec, "health"> {
  readonly name: string;
  readonly directory: string;
  /** Whether it answers; asked again and again while it starts. */
  readonly healthy: () => Promise<boolean>;
}

/** supervisord's view of each program of the stack; empty where it does not answer. */
export async function programStates(stack: string): Promise<ProgramInfo[]> {
  try {
    const all = await callSupervisor(supervisorSocket(stack), "getAllProcessInfo", [], 5_000);
    return all as unknown as ProgramInfo[];
  } catch {
    return [];
  }
}

/**
 * Makes a service run as declared and waits until it is healthy. One that runs so already is left
 * alone; any other is restarted, and only that one.
 *
 * @param spec what the service depends on: when it differs from the running one's, that is restarted
 * @throws UserError with the last lines of its log when it does not become healthy; it is then ended
 */
export async function convergeService(
  stack: string,
  service: Service,
  spec: unknown,
): Promise<void> {
  const id = stackId(stack);
  const { name } = service;
  const text = programConf({
    ...service,
    log: stackFiles(stack).log(name),
    env: {
      ...service.env,
      [marker]: `${id}/${name}`,
      ENGINE_COMPARISON_SPEC: shortHash(spec),
    },
  });
  const file = stackFiles(stack).program(name);
  const running = (await programStates(stack)).find((program) => program.name === name);
  const same = fs.existsSync(file) && fs.readFileSync(file, "utf8") === text;
  if (!same || running?.statename !== "RUNNING") {
    await removeProgram(stack, name);
    await endLeftovers(id, (other) => other === name);
    fs.mkdirSync(stackFiles(stack).logs, { recursive: true, mode: 0o700 });
    fs.writeFileSync(`${file}.new`, text, { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
    const socket = supervisorSocket(stack);
    await callSupervisor(socket, "reloadConfig");
    await callSupervisor(socket, "addProcessGroup", [name]);
  }
  await untilHealthy(stack, service);
}

/** Takes a program out of supervisord, ended; no matter if it is not there or supervisord is dead. */
async function removeProgram(stack: string, name: string): Promise<void> {
  fs.rmSync(stackFiles(stack).program(name), { force: true });
  const socket = supervisorSocket(stack);
  for (const method of ["stopProcessGroup", "removeProcessGroup"]) {
    try {
      await callSupervisor(socket, method, [name], 60_000);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const dead = code === "ECONNREFUSED" || code === "ENOENT";
      if (!(error instanceof RpcFault) && !dead) throw error;
    }
  }
}

/** Ends a service and forgets it. Idempotent, and works without a supervisor. */
export async function removeService(stack: string, name: string): Promise<void> {
  await removeProgram(stack, name);
  const id = readOwner(stack)?.id;
  if (id) await endLeftovers(id, (other) => other === name);
  const log = stackFiles(stack).log(name);
  for (const file of [`${log}.1`, log]) removeLast(file);
}

async function untilHealthy(stack: string, service: Service): Promise<void> {
  const { name, startSeconds } = service;
  const deadline = Date.now() + startSeconds * 1000;
  let state = "unknown";
  while (Date.now() < deadline) {
    const program = (await programStates(stack)).find((each) => each.name === name);
    state = program ? `${program.statename}${program.spawnerr && `: ${program.spawnerr}`}` : "gone";
    if (program?.statename === "FATAL") break;
    if (program?.statename === "RUNNING" && (await service.healthy())) {
      if (await staysAlive(stack, program, service.settleSeconds ?? 0)) return;
    }
    await sleep(150);
  }
  await removeProgram(stack, name);
  const log = stackFiles(stack).log(name);
  const ended = state.startsWith("FATAL");
  const what = ended ? "ends as soon as it is started" : `was not healthy after ${startSeconds} s`;
  throw new UserError(
    `${name} ${what} (${state})\n${lastLines(log, 8)}`,
    "what follows needs it",
    `read ${log}; then run the same command again`,
  );
}

async function staysAlive(
  stack: string,
  { name, pid }: ProgramInfo,
  seconds: number,
): Promise<boolean> {
  await sleep(seconds * 1000);
  return (await programStates(stack)).some((each) => each.name === name && each.pid === pid);
}

/** The last lines of a log, indented, for a message; what is repeated, once. */
function lastLines(file: string, count: number): string {
  try {
    const lines = fs.readFileSync(file, "utf8").trimEnd().split("\n");
    const last = lines.filter((line, i) => line !== lines[i - 1]).slice(-count);
    return last.map((line) => `  | ${line.slice(0, 300)}`).join("\n");
  } catch {
    return "  | (no log)";
  }
}
