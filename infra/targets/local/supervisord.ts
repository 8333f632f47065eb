import { XMLParser } from "fast-xml-parser";
import { once } from "node:events";
import * as http from "node:http";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../contracts/errors";
import { parseLimits } from "../../host/checks";
import { attempt, readOr } from "../../host/folders";
import { ownProcesses, runs, startedWith, startOf, withDescendants } from "../../host/processTable";
import type { ServiceSpec } from "../../services";

/** A value of XML-RPC that supervisord uses. */
type RpcValue =
  string | number | boolean | readonly RpcValue[] | { readonly [name: string]: RpcValue };

/** What supervisord answered instead of a result, e.g. `BAD_NAME: minio`. */
export class RpcFault extends Error {}

export interface ProgramInfo {
  readonly name: string;
  /** e.g. `RUNNING`, `STARTING`, `FATAL` */
  readonly statename: string;
  /** 0 when it does not run. */
  readonly pid: number;
  /** Seconds since the epoch. */
  readonly start: number;
  readonly now: number;
  readonly spawnerr: string;
}

/**
 * Calls supervisord's XML-RPC interface at a unix socket (http://supervisord.org/api.html). Done
 * here rather than by `supervisorctl`, so that a stack can be looked at and ended without Python.
 *
 * @throws RpcFault where supervisord refuses; an Error with a code such as ECONNREFUSED or ENOENT
 *   where it does not run
 */
export async function callSupervisor(
  socketPath: string,
  method: string,
  args: readonly (string | boolean)[] = [],
  timeoutMs = 30_000,
): Promise<RpcValue> {
  const params = args.map((arg) => `<param><value>${asXml(arg)}</value></param>`).join("");
  const call = `<methodName>supervisor.${method}</methodName><params>${params}</params>`;
  const request = http.request({
    ...{ socketPath, path: "/RPC2", method: "POST", agent: false, timeout: timeoutMs },
    headers: { "Content-Type": "text/xml" },
  });
  request.on("error", () => {}); // whoever waits for the response gets the error
  request.on("timeout", () => request.destroy(new Error("supervisord does not answer")));
  request.end(`<?xml version="1.0"?><methodCall>${call}</methodCall>`);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  return parseResponse(await text(response));
}

function asXml(value: string | boolean): string {
  return typeof value === "boolean"
    ? `<boolean>${value ? 1 : 0}</boolean>`
    : `<string>${value.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</string>`;
}

/** A parsed `<value>`: bare text, or an object with the type's tag as a key. */
type Value = string | Readonly<Record<string, unknown>>;

const parser = new XMLParser({
  // Types come by tags; a name made of digits is still a string.
  parseTagValue: false,
  trimValues: false,
  isArray: (name, path) => name === "member" || String(path).endsWith("data.value"),
});

/** Reads the answer to a call. @throws RpcFault where the answer is a fault */
export function parseResponse(xml: string): RpcValue {
  const { methodResponse: { params, fault } = {} } = parser.parse(xml) as {
    methodResponse?: { params?: { param: { value: Value } }; fault?: { value: Value } };
  };
  if (fault) throw new RpcFault((read(fault.value) as { faultString: string }).faultString);
  if (!params) throw new Error(`not an XML-RPC answer: ${xml.slice(0, 200)}`);
  return read(params.param.value);
}

function read(value: Value): RpcValue {
  if (typeof value === "string") return value;
  if ("array" in value) {
    const { data } = value.array as { data: { value?: Value[] } };
    return (data.value ?? []).map(read);
  }
  if ("struct" in value) {
    const { member = [] } = value.struct as { member?: { name: string; value: Value }[] };
    return Object.fromEntries(member.map(({ name, value }) => [name, read(value)]));
  }
  if ("boolean" in value) return value.boolean === "1";
  const number = value.int ?? value.i4 ?? value.double;
  return number === undefined ? ((value.string as string | undefined) ?? "") : Number(number);
}

/**
 * The configuration of supervisord itself.
 *
 * @param folder where it keeps its log and its programs' configuration
 */
export function supervisordConf(folder: string, socket: string): string {
  return [
    section("unix_http_server", { file: socket, chmod: "0700" }),
    section("supervisord", {
      logfile: path.join(folder, "supervisord.log"),
      logfile_maxbytes: "2MB",
      logfile_backups: "1",
      pidfile: path.join(folder, "supervisord.pid"),
      childlogdir: folder,
      identifier: "engine-comparison",
      umask: "077",
      // MinIO and Ray want many files; the limit is the user's.
      minfds: String(Math.min(parseLimits(readOr("/proc/self/limits") ?? "").files, 65_536)),
      silent: "true",
    }),
    section("rpcinterface:supervisor", {
      "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
    }),
    section("include", { files: path.join("conf.d", "*.conf") }),
  ].join("\n");
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

interface Program extends Pick<ServiceSpec, "argv" | "env" | "stopSignal" | "stopSeconds"> {
  readonly name: string;
  readonly directory: string;
  readonly log: string;
}

export function programConf(program: Program): string {
  const variables = Object.entries(program.env).map(([name, value]) => `${name}=${quoted(value)}`);
  return section(`program:${program.name}`, {
    command: program.argv.map(quoted).join(" "),
    directory: program.directory,
    environment: variables.join(","),
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

/**
 * The variable that marks every process of a stack's services: `<stack id>/<service>`. Children
 * inherit it, so that what a killed supervisor left behind is found without any record.
 */
export const serviceVariable = "ENGINE_COMPARISON_SERVICE";

/**
 * Processes of the stack with this id, by service name (`supervisor` among them).
 *
 * @param id the stack's random id; processes of other stacks are never touched
 */
export function markedProcesses(id: string): { pid: number; service: string }[] {
  return ownProcesses().flatMap(({ pid }) => {
    const value = startedWith(pid, serviceVariable);
    return value?.startsWith(`${id}/`) ? [{ pid, service: value.slice(id.length + 1) }] : [];
  });
}

/** How long a process may take to end by itself before it is killed. */
const graceMs = 1_000;

/** How long it is tried at all; a process in an uninterruptible wait cannot be ended. */
const patienceMs = 10_000;

/**
 * Ends the marked processes of a stack with their descendants, marked or not.
 *
 * @returns how many processes were ended
 */
export async function endOrphans(id: string, which: (service: string) => boolean = () => true) {
  const begin = Date.now();
  const orphans = new Map<number, string>();
  const warned = new Set<number>();
  for (;;) {
    // Looked for again and again: a process may start another while it is being ended.
    const roots = markedProcesses(id).flatMap(({ pid, service }) => (which(service) ? [pid] : []));
    const all = roots.length === 0 ? [] : withDescendants(roots, ownProcesses());
    for (const pid of all) if (pid !== process.pid) orphans.set(pid, startOf(pid));
    const alive = [...orphans].filter(([pid, start]) => runs(pid, start)).map(([pid]) => pid);
    const elapsed = Date.now() - begin;
    if (alive.length === 0 || elapsed > patienceMs) return orphans.size;
    for (const pid of alive) {
      const signal = elapsed > graceMs ? "SIGKILL" : "SIGTERM";
      // Unless it has ended by itself.
      if (signal === "SIGKILL" || !warned.has(pid)) attempt(() => process.kill(pid, signal));
      warned.add(pid);
    }
    await sleep(50);
  }
}
